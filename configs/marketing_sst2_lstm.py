"""LSTM alone on SST-2, beside BERT-LSTM; see ``marketing_lstm.py``.

Command::

    python -m launch.train --config=configs/marketing_sst2_lstm.py \
        --config.data.path="$REVIEWINTENT_DATA/sentence_polarity/stsa.binary.*.gz"

Data, split and scores: ``marketing_sst2.py``.
"""

from ml_collections import ConfigDict

from configs import marketing, marketing_sst2


def get_config() -> ConfigDict:
    config = marketing.words_alone(marketing_sst2.get_config())
    config.name = "marketing_sst2_lstm"
    return config
