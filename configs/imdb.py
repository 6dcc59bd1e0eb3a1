"""IMDB through TFDS: long reviews, read as chunks.

Data: ``imdb_reviews``, 25,000 + 25,000 reviews, official test split.
Command: ``python -m launch.train --config=configs/imdb.py``.
A page holds 1,024 tokens, so 99 of 100 reviews are read whole, in chunks of 256.
Score: not run on the full data yet; anchors for BERT-base are 94.0-95.6 % accuracy.
"""

from ml_collections import ConfigDict

from configs import yelp


def get_config() -> ConfigDict:
    config = yelp.get_config()
    config.name = "imdb"
    config.data.tfds_name = "imdb_reviews"
    config.pages.chunk_tokens = 256
    config.pages.page_tokens = 1_024
    config.pages.max_tokens = 1_024
    config.optimizer.warmup_steps = 100
    config.train.validate_every_steps = 0
    return config
