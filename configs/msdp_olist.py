"""Olist orders: satisfied or not, order value, days to delivery. MSDP-Net.

Texts (Portuguese) and structured fields. The review is written after delivery: what is
asked here is what a review tells of its order, no forecast. Command::

    python -m launch.train --config=configs/msdp_olist.py \
        --config.data.path=$REVIEWINTENT_DATA/olist/orders.csv.gz

Data: 3,584 orders; the 117 that were not delivered are censored where the review was
written. There is no customer, so no behaviour. Scores: docs/results/msdp.md.
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
    config.data.dates = ("order_estimated_delivery_date",)  # as promised at purchase
    config.data.seasons = True
    config.targets.intent = "review_score"
    config.targets.positive = ("4", "5")
    config.targets.value = "order_products_value"
    config.targets.time = "order_delivered_customer_date"
    config.targets.followed_until = "review_creation_date"
    config.targets.interval_days = (4.0, 7.0, 10.0, 14.0, 20.0, 30.0, 45.0)
    config.network.source_dropout = config.network.dropout = 0.3
    config.optimizer.head_rate = 1e-3
    config.train.batch_windows = 64
    config.train.epochs = 30
    return config
