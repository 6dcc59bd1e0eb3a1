"""The built-in shop: where its twelve categories are heading, week by week.

Here shares come back to their mean by construction (a category has no trend), so what
can be foreseen of them is that; the volume has seasons. Command::

    python -m launch.train --config=configs/shop_series.py

Data: simulated reviews. Hardware: two CPU cores, two minutes. Scores:
``docs/results/series.md``.
"""

from ml_collections import ConfigDict

from configs import intention_series


def get_config() -> ConfigDict:
    config = intention_series.get_config()
    config.name = "shop_series"
    config.data.kind = "shop"
    config.data.group = "category"
    config.data.recommending = "recommended"
    config.data.period = "week"
    return config
