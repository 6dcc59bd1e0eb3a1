"""Amazon musical instruments: does the user review again within 90 days? MSDP-Net.

Texts and behaviour: reviews are the events, their stars the value. Command::

    python -m launch.train --config=configs/msdp_amazon_musical.py \
        --config.events.path=$REVIEWINTENT_DATA/amazon_musical/reviews.csv.gz

Data: 10,261 reviews of 1,429 users. Three cuts train, the last tests other users; there
is no price, so no value. Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_amazon_musical"
    config.events.path = "amazon_musical/reviews.csv.gz"
    config.events.subject = "reviewerID"
    config.events.time = "unixReviewTime"
    config.events.item = "asin"
    config.events.value = "overall"
    config.events.texts = ("summary", "reviewText")
    config.events.recent = 12
    config.events.recent_texts = 2
    config.cuts.dates = ("2012-10-01", "2013-03-01", "2013-08-01", "2014-02-01")
    config.targets.intent = "events"
    config.targets.time = "events"
    config.network.source_dropout = config.network.dropout = 0.3
    config.optimizer.head_rate = 1e-3
    config.train.batch_windows = 64
    config.train.epochs = 30
    return config
