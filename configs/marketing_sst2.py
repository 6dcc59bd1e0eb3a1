"""BERT-LSTM, sequential, on SST-2: sentences of film reviews, positive or negative.

Command::

    python -m launch.train --config=configs/marketing_sst2.py \
        --config.data.path="$REVIEWINTENT_DATA/sentence_polarity/stsa.binary.*.gz"

The official split: 6,920 sentences for training, 872 for validation, 1,821 for test;
the files' names say which is which. Model and scores: ``marketing.py``.
"""

from ml_collections import ConfigDict

from configs import marketing


def get_config() -> ConfigDict:
    config = marketing.get_config()
    config.name = "marketing_sst2"
    config.data.path = "sentence_polarity/stsa.binary.*.gz"
    config.data.label = "label"
    config.data.split = "split"
    config.split.kind = "given"
    config.labels.kind = "binary"
    config.labels.classes = ()
    config.optimizer.decay_every_steps = 70  # a third of an epoch
    config.train.validate_every_steps = 70
    return config
