"""Olist orders: satisfied or not, order value, days to delivery. MSDP-Net.

Texts (Portuguese) and structured fields. What is asked is what a review tells of its
order, no forecast: of 3,584 reviews 3,054 were written after delivery, 413 before it
(their mean score is 2.2, that of all 3.5) and 117 of orders that never came. Command::

    python -m launch.train --config=configs/msdp_olist.py \
        --config.data.path=$REVIEWINTENT_DATA/olist/orders.csv.gz

Data: 3,584 orders; what was not delivered by the end of the table is censored there.
There is no customer, so no behaviour. Scores: docs/results/msdp.md.
"""

from ml_collections import ConfigDict

from configs import msdp


def get_config() -> ConfigDict:
    config = msdp.get_config()
    config.name = "msdp_olist"
    config.data.path = "olist/orders.csv.gz"
    config.data.time = "order_purchase_timestamp"
    config.data.texts = ("review_comment_title", "review_comment_message")
    config.data.categories = ("product_category_name", "customer_state")
    config.data.numbers = (
        "order_freight_value",
        "order_items_qty",
        "order_sellers_qty",
        "product_name_lenght",
        "product_description_lenght",
        "product_photos_qty",
    )
    config.data.log_numbers = ("order_freight_value", "product_description_lenght")
    config.data.dates = ("order_estimated_delivery_date",)
    config.data.dates_ahead = config.data.dates  # promised at purchase
    config.data.seasons = True
    config.targets.intent = "review_score"
    config.targets.positive = ("4", "5")
    config.targets.value = "order_products_value"
    config.targets.time = "order_delivered_customer_date"
    config.cuts.known_until = "2018-05-10"  # the newest delivery is of the day before
    config.targets.interval_days = (4.0, 7.0, 10.0, 14.0, 20.0, 30.0, 45.0)
    config.network.source_dropout = config.network.dropout = 0.3
    config.optimizer.head_rate = 1e-3
    config.train.batch_windows = 64
    config.train.epochs = 30
    return config
