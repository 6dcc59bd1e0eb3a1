"""Sentiment140 through TFDS: short tweets, many to a page.

Data: ``sentiment140``. Its labels are 0 (negative), 2 (neutral) and 4 (positive); the
1.6 million training tweets carry 0 and 4 only, so tweets with 2 are left out, and a
test part is cut from the training tweets. TFDS needs TensorFlow to prepare this set;
without it, put the line ``polarity,id,date,query,user,text`` above the published CSV
and add ``--config.data.kind=table --config.data.path=FILE``.
Command: ``python -m launch.train --config=configs/twitter.py``.
Score: not run on the full data yet.
"""

from ml_collections import ConfigDict

from configs import yelp


def get_config() -> ConfigDict:
    config = yelp.get_config()
    config.name = "twitter"
    config.data.tfds_name = "sentiment140"
    config.data.label = "polarity"
    config.data.split = ""
    config.labels.kind = "names"
    config.labels.classes = ("0", "4")
    config.split.kind = "stratified"
    config.split.test_fraction = 0.02
    config.split.validation_fraction = 0.02
    config.pages.page_tokens = 128
    config.pages.max_tokens = 128
    return config
