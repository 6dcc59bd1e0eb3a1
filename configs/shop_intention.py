"""The built-in shop: does the shopper buy again within 30 days? MiniLM.

Here intention truly depends on the history, and the best possible score is known: the
report says how near this came. Command::

    python -m launch.train --config=configs/shop_intention.py

Data: simulated reviews. Split: shoppers at random, one cut date. On one CPU core: 41
minutes of training, AUC .734 (best possible .749); docs/results/intention.md.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "shop_intention"
    config.data.kind = "shop"
    config.data.text = "text"
    config.data.title = "title"
    config.data.label = "stars"
    config.data.time = "time"
    config.data.shop_rows = 40_000  # each read once: better than half of them twice
    config.labels.kind = "stars"
    # Seven reviews of one subject must fit on a page.
    config.pages.page_tokens = 1024
    config.pages.max_tokens = 128
    config.intention.kind = "repurchase"
    config.intention.subject = "user_id"
    config.intention.stars = "stars"
    config.intention.horizon_days = 30
    config.intention.covariates = ("gap", "first", "stars", "length", "season")
    config.optimizer.decay_every_steps = 100  # of 600 updates
    config.optimizer.decay_factor = 0.7
    config.train.epochs = 1
    config.train.stop_metric = "intention_auc"
    return config
