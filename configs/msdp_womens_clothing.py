"""Women's clothing: would the customer recommend it? MSDP-Net.

Texts and structured fields; no value and no time in these data. Command::

    python -m launch.train --config=configs/msdp_womens_clothing.py \
        --config.data.path=$REVIEWINTENT_DATA/womens_clothing/reviews.csv.gz

Data: 23,486 reviews, 844 of them without a text, which are read from the rest. Products
never lie on both sides of the split. Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_womens_clothing"
    config.data.path = "womens_clothing/reviews.csv.gz"
    config.data.subject = "Clothing ID"
    config.data.texts = ("Title", "Review Text")
    config.data.categories = ("Division Name", "Department Name", "Class Name")
    config.data.numbers = ("Age", "Positive Feedback Count")
    config.data.log_numbers = ("Positive Feedback Count",)
    config.targets.intent = "Recommended IND"
    config.targets.positive = ("1",)
    config.network.source_dropout = config.network.dropout = 0.3
    config.optimizer.head_rate = 1e-3
    config.train.epochs = 20
    return config
