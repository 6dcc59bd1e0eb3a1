"""BERT alone, beside BERT-LSTM: [CLS], dropout, dense, softmax.

Command::

    python -m launch.train --config=configs/marketing_bert.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

Data, split and scores: ``marketing.py``.
"""

from ml_collections import ConfigDict

from configs import marketing


def get_config() -> ConfigDict:
    config = marketing.encoder_alone(marketing.get_config())
    config.name = "marketing_bert"
    return config
