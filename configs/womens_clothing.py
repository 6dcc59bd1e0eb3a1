"""Women's e-commerce clothing reviews: does the reviewer recommend it? MiniLM.

Command::

    python -m launch.train --config=configs/womens_clothing.py \
        --config.data.path=$REVIEWINTENT_DATA/womens_clothing/reviews.csv.gz

Split: stratified 80/20, a tenth of the 80 for validation. Scores and times:
``docs/results/sentiment.md``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "womens_clothing"
    config.data.path = "womens_clothing/reviews.csv.gz"
    config.data.text = "Review Text"
    config.data.title = "Title"
    config.data.label = "Recommended IND"
    config.labels.kind = "binary"
    config.labels.classes = ("not recommended", "recommended")
    config.train.epochs = 1
    config.optimizer.head_rate = 5e-4
    config.optimizer.decay_every_steps = 60  # a small set: the rates fall within it
    config.optimizer.decay_factor = 0.8
    return config
