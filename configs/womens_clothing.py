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
    return config
