"""Amazon, musical instruments: where the whole shop is heading, week by week.

Data: the 10,261 reviews of the 5-core file, 2004 to 2014. Command::

    python -m launch.train --config=configs/amazon_musical_series.py \
        --config.data.path=$REVIEWINTENT_DATA/amazon_musical/reviews.csv.gz

By product and month: ``configs/amazon_products_series.py``.
Hardware: two CPU cores, a minute. Scores: ``docs/results/series.md``.
"""

from ml_collections import ConfigDict

from configs import intention_series


def get_config() -> ConfigDict:
    config = intention_series.get_config()
    config.name = "amazon_musical_series"
    config.data.path = "amazon_musical/reviews.csv.gz"
    config.data.time = "unixReviewTime"
    config.data.positive = "overall"
    config.data.period = "week"
    return config
