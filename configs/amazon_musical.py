"""Amazon, musical instruments: does the shopper buy again within 90 days? MiniLM.

Command::

    python -m launch.train --config=configs/amazon_musical.py \
        --config.data.path=$REVIEWINTENT_DATA/amazon_musical/reviews.csv.gz

Sentiment (stars 1-2 against 4-5) is learnt beside it. Other questions of the same
histories: ``--config.intention.horizon_days=30``, or
``--config.intention.kind=next_positive``. Split: shoppers at random, one cut date.

There are 2,700 answers of training, so what reads histories gets many small updates and
a rate of its own, and of a text its sentiment alone; chosen on validation
(docs/intention.md).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "amazon_musical"
    config.data.path = "amazon_musical/reviews.csv.gz"
    config.data.text = "reviewText"
    config.data.title = "summary"
    config.data.label = "overall"
    config.data.time = "unixReviewTime"
    config.labels.kind = "stars"
    # Seven reviews of one subject must fit on a page.
    config.pages.page_tokens = 1024
    config.pages.max_tokens = 128
    config.intention.kind = "repurchase"
    config.intention.subject = "reviewerID"
    config.intention.stars = "overall"
    config.intention.horizon_days = 90
    config.intention.covariates = ("gap", "first", "stars", "length", "season")
    config.history.step_features = 0
    config.optimizer.history_rate = 3e-3
    config.train.epochs = 2
    config.train.batch_reviews = 10  # one page
    config.train.validate_every_steps = 175
    config.train.stop_metric = "intention_auc"
    return config
