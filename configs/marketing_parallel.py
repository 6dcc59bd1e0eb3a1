"""BERT-LSTM, parallel: [CLS] beside an LSTM of 100 units over 300-d word vectors.

Command::

    python -m launch.train --config=configs/marketing_parallel.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

Vectors are trained from scratch; with GloVe's, add ``--config.words.vectors=file
--config.words.path=glove.6B.300d.txt``. Data, split and scores: ``marketing.py``.
"""

from ml_collections import ConfigDict

from configs import marketing


def get_config() -> ConfigDict:
    config = marketing.in_parallel(marketing.get_config())
    config.name = "marketing_parallel"
    return config
