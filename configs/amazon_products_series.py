"""Amazon, musical instruments: where single products are heading, month by month.

Data: as in ``configs/amazon_musical_series.py``. Of 900 products most have too few
reviews for a window; the last of all months are the ones with many. Hardware: two CPU
cores, four minutes. Command::

    python -m launch.train --config=configs/amazon_products_series.py \
        --config.data.path=$REVIEWINTENT_DATA/amazon_musical/reviews.csv.gz
"""

from ml_collections import ConfigDict

from configs import amazon_musical_series


def get_config() -> ConfigDict:
    config = amazon_musical_series.get_config()
    config.name = "amazon_products_series"
    config.data.group = "asin"
    config.data.period = "month"
    return config
