"""The demo: MiniLM learns the mood of the built-in shop's reviews.

Data: 6,000 simulated reviews (about a twelfth have 3 stars and are left out); the shop
knows the best accuracy that anyone could reach, and the report says how near this came.
Command: ``make demo``. Hardware: two CPU cores, about five minutes.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "demo"
    config.data.kind = "shop"
    config.data.text = "text"
    config.data.title = "title"
    config.data.label = "stars"
    config.data.shop_rows = 6_000
    config.labels.kind = "stars"
    # The hash of the weights that the demo was tried with.
    config.encoder.sha256 = (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
    config.optimizer.warmup_steps = 20
    config.optimizer.head_rate = 5e-4
    config.optimizer.decay_factor = 0.8
    config.optimizer.decay_every_steps = 30
    config.train.max_steps = 120  # half an epoch; another half scored no better
    config.train.batch_reviews = 16
    config.train.validate_every_steps = 60
    return config
