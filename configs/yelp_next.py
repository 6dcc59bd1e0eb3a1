"""Yelp: is the next review of the same business positive (4-5 stars)? MiniLM.

Command::

    python -m launch.train --config=configs/yelp_next.py \
        --config.data.path=$REVIEWINTENT_DATA/yelp10k/yelp.csv.gz

Split: businesses at random, one cut date, and no author on two sides. On one CPU core:
14 minutes of training, AUC .569, which is not clearly above chance;
docs/results/intention.md.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "yelp_next"
    config.data.path = "yelp10k/yelp.csv.gz"
    config.data.text = "text"
    config.data.label = "stars"
    config.data.group = "user_id"
    config.data.time = "date"
    config.labels.kind = "stars"
    config.split.validation_fraction = 0.2
    # Seven reviews of one subject must fit on a page.
    config.pages.page_tokens = 1024
    config.pages.max_tokens = 128
    config.intention.kind = "next_positive"
    config.intention.subject = "business_id"
    config.intention.stars = "stars"
    config.intention.covariates = ("gap", "first", "stars", "length", "season")
    config.train.epochs = 1
    config.train.stop_metric = "intention_auc"
    return config
