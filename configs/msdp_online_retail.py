"""Online Retail: who orders again within 90 days, for how much, and when. MSDP-Net.

Behaviour (orders and returns), and as structured fields what it adds up to. Command::

    python -m launch.train --config=configs/msdp_online_retail.py \
        --config.events.path=$REVIEWINTENT_DATA/online_retail/online_retail.parquet

Data: 541,909 lines of 25,900 invoices; those without a customer are set aside, and the
lines of an invoice are one event. Two cuts train, the last tests other customers.
Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_online_retail"
    config.events.path = "online_retail/online_retail.parquet"
    config.events.subject = "CustomerID"
    config.events.time = "InvoiceDate"
    config.events.order = "InvoiceNo"
    config.events.item = "StockCode"
    config.events.value = "UnitPrice"
    config.events.quantity = "Quantity"
    config.events.targets = ("purchase",)  # and no return
    config.events.recent = 24
    config.events.summaries = True
    config.cuts.dates = ("2011-04-01", "2011-06-01", "2011-09-01")
    config.targets.intent = "events"
    config.targets.value = "events"
    config.targets.time = "events"
    config.train.batch_windows = 128
    config.train.epochs = 30
    return config
