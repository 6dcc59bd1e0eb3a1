"""Tweets before a new phone: does the writer intend to buy it? Three classes. MiniLM.

Command::

    python -m launch.train --config=configs/purchase_intent_tweets.py \
        --config.data.path=$REVIEWINTENT_DATA/purchase_intent_tweets/annotated.csv

Stated intention, annotated by people: each tweet stands alone, and there is no label of
sentiment. Seven spellings are three classes. Of 2,108 rows, 87 (of 40 texts that are
equal but for case and punctuation) are labelled in two ways and set aside, and so are
150 repeats; left are 439 no, 817 undefined and 615 yes. Split: stratified 80/20, a
tenth of the 80 for validation. On one CPU core: 5 minutes of training, accuracy .660
(majority .436); docs/results/intention.md.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "purchase_intent_tweets"
    config.data.path = "purchase_intent_tweets/annotated.csv"
    config.data.text = "text"
    config.data.label = ""
    config.intention.kind = "stated"
    config.intention.label = "class"
    config.intention.labels.kind = "names"
    config.intention.labels.classes = ("no", "undefined", "yes")
    config.intention.labels.aliases = ("PI -> yes",)
    config.intention.covariates = ("length",)
    config.pages.page_tokens = config.pages.max_tokens = 128  # no tweet is longer
    config.lstnet.highway_window = 32
    config.train.stop_metric = "intention_macro_f1"
    return config
