"""BERT-LSTM, parallel, on SST-2; see ``marketing_parallel.py``.

Command::

    python -m launch.train --config=configs/marketing_sst2_parallel.py \
        --config.data.path="$REVIEWINTENT_DATA/sentence_polarity/stsa.binary.*.gz"

Data, split and scores: ``marketing_sst2.py``.
"""

from ml_collections import ConfigDict

from configs import marketing, marketing_sst2


def get_config() -> ConfigDict:
    config = marketing.in_parallel(marketing_sst2.get_config())
    config.name = "marketing_sst2_parallel"
    return config
