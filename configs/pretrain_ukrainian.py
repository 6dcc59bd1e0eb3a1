"""A small XLM-R-shaped encoder for Ukrainian, from shop reviews and other reviews.

Command::

    python -m launch.train --config=configs/pretrain_ukrainian.py \
        --config.data.path=$REVIEWINTENT_DATA/ukrainian_shop/reviews.csv.gz \
        --config.corpus.path=$REVIEWINTENT_DATA/ukrainian_emotions/train.csv.gz

Of the shop reviews it reads those that ``configs/ukrainian.py`` trains on, and no
others. What it leaves in ``encoder/`` is what that config starts from. Scores and
times: ``docs/results/pretraining.md``.
"""

from ml_collections import ConfigDict

from configs import pretrain, ukrainian


def get_config() -> ConfigDict:
    config = pretrain.get_config()
    config.name = "pretrain_ukrainian"
    ukrainian.add_reviews(config)
    config.corpus.path = "ukrainian_emotions/train.csv.gz"
    return config
