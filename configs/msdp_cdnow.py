"""CDNOW purchases: who buys again within 90 days, for how much, and when. MSDP-Net.

Behaviour, and as structured fields what it adds up to: recency, frequency, span and
mean value. Command::

    python -m launch.train --config=configs/msdp_cdnow.py \
        --config.events.path=$REVIEWINTENT_DATA/cdnow/cdnow_master.txt.gz

Data: 69,659 purchases of 23,570 customers (the dates of this copy are shifted by 24
years). Two cuts train, the last tests other customers. Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_cdnow"
    config.events.path = "cdnow/cdnow_master.txt.gz"
    config.events.header = ("customer", "date", "items", "dollars")
    config.events.subject = "customer"
    config.events.time = "date"
    config.events.item = "items"  # how many discs: few values, told apart as items are
    config.events.value = "dollars"
    config.events.recent = 24
    config.events.summaries = True
    config.cuts.dates = ("2021-06-01", "2021-09-01", "2022-01-01")
    config.targets.intent = "events"
    config.targets.value = "events"
    config.targets.time = "events"
    config.targets.interval_days = (7.0, 14.0, 30.0, 60.0, 90.0, 150.0)
    config.train.epochs = 6
    return config
