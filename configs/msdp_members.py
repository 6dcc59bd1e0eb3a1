"""The built-in shop's members: of three sources one carries what comes. MSDP-Net.

Which one it is says the member's club, so fusion must weigh the sources by it: see
``reviewintent_jax/data/bazaar_members.py``. Simulated; the true probability is known.
Command::

    python -m launch.train --config=configs/msdp_members.py

Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_members"
    config.data.kind = "members"
    config.data.subject = "member"
    config.data.categories = ("club", "tier", "channel")
    config.data.numbers = ("points", "age")
    config.data.log_numbers = ("points",)
    config.events.subject = "member"
    config.events.time = "time"
    config.events.item = "category"
    config.events.value = "value"
    config.events.texts = ("title", "text")
    config.events.recent = 12
    config.events.recent_texts = 1
    config.cuts.dates = ("2023-07-01",)
    config.targets.horizon_days = 60
    config.targets.intent = "events"
    config.targets.value = "events"
    config.targets.time = "events"
    config.targets.interval_days = (7.0, 14.0, 30.0, 60.0, 90.0, 115.0)
    # Without it the text, read least easily, is never read: its weight stays near 0.
    config.network.source_dropout = 0.5
    config.network.dropout = 0.5
    config.train.batch_windows = 128
    config.train.epochs = 30
    config.train.patience = 8
    return config
