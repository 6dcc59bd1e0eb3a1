"""10,000 Yelp reviews, stars 1-2 against 4-5, 3 stars left out; MiniLM on two cores.

Command::

    python -m launch.train --config=configs/yelp10k.py \
        --config.data.path=$REVIEWINTENT_DATA/yelp10k/yelp.csv.gz

Split: stratified 80/20, a tenth of the 80 for validation. Scores and times:
``docs/results/sentiment.md``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "yelp10k"
    config.data.text = "text"
    config.data.label = "stars"
    config.data.path = "yelp10k/yelp.csv.gz"
    config.labels.kind = "stars"
    config.lstnet.highway_window = 512  # a straight way from every chunk
    config.optimizer.head_rate = 5e-4
    config.optimizer.decay_every_steps = 50  # a small set: the rates fall within it
    config.optimizer.decay_factor = 0.8
    return config
