"""The same as ``ukrainian.py`` from random weights: what pre-training is worth.

Command::

    python -m launch.train --config=configs/ukrainian_random.py \
        --config.data.path=$REVIEWINTENT_DATA/ukrainian_shop/reviews.csv.gz

Of the folder of the encoder it reads sizes and tokenizer alone. Scores and times:
``docs/results/ukrainian.md``.
"""

from ml_collections import ConfigDict

from configs import ukrainian


def get_config() -> ConfigDict:
    config = ukrainian.get_config()
    config.name = "ukrainian_random"
    config.encoder.weights = "random"
    return config
