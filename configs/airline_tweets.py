"""Tweets about US airlines: negative, neutral or positive; MiniLM on two cores.

Command::

    python -m launch.train --config=configs/airline_tweets.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

Split: stratified 80/20, a tenth of the 80 for validation. Scores and times:
``docs/results/sentiment.md``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "airline_tweets"
    config.data.path = "airline_tweets/tweets.csv.gz"
    config.data.text = "text"
    config.data.label = "airline_sentiment"
    config.labels.kind = "names"
    config.labels.classes = ("negative", "neutral", "positive")
    config.pages.page_tokens = config.pages.max_tokens = 128  # no tweet is longer
    config.lstnet.highway_window = 32
    config.optimizer.head_rate = 5e-4
    config.optimizer.decay_every_steps = 80  # a small set: the rates fall within it
    config.optimizer.decay_factor = 0.8
    return config
