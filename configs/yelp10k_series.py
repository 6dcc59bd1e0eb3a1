"""Yelp: where 10,000 reviews of 2005 to 2013 are heading, week by week.

They spread over 4,174 businesses, too few each, so all are one group. Command::

    python -m launch.train --config=configs/yelp10k_series.py \
        --config.data.path=$REVIEWINTENT_DATA/yelp10k/yelp.csv.gz

Hardware: two CPU cores, a minute. Scores: ``docs/results/series.md``.
"""

from ml_collections import ConfigDict

from configs import intention_series


def get_config() -> ConfigDict:
    config = intention_series.get_config()
    config.name = "yelp10k_series"
    config.data.path = "yelp10k/yelp.csv.gz"
    config.data.time = "date"
    config.data.period = "week"
    return config
