"""LSTM alone, beside BERT-LSTM: 100 units over 300-d word vectors, trained here.

Command::

    python -m launch.train --config=configs/marketing_lstm.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

Data, split and scores: ``marketing.py``.
"""

from ml_collections import ConfigDict

from configs import marketing


def get_config() -> ConfigDict:
    config = marketing.words_alone(marketing.get_config())
    config.name = "marketing_lstm"
    return config
