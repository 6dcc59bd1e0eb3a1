"""ETTh1: the temperature of an electricity transformer and its loads, hourly.

Data: ``ETTh1.csv`` of Zhou et al. (AAAI 2021), 17,420 hours of 7 series, two years.
Command: ``python -m launch.train --config=configs/etth1.py
--config.data.path=etth1.csv.gz``. The series cross zero and differ in size, so they are
standardised; errors count alike. On one CPU core: 11 minutes; RSE .565 (persistence
.589, AR ridge .527); docs/results/forecasting.md.
"""

from ml_collections import ConfigDict

from configs import forecast


def get_config() -> ConfigDict:
    config = forecast.get_config()
    config.name = "etth1"
    config.windows.horizon = 24  # hours
    config.windows.scale = "standard"
    config.train.stop_metric = "rse_per_series"
    return config
