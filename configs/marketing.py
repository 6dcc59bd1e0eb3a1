"""BERT-LSTM, sequential: tweets about US airlines; MiniLM on two cores.

Command::

    python -m launch.train --config=configs/marketing.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

A bidirectional LSTM of 128 units reads the states of all tokens; dropout .5, dense,
softmax. The paper's text has it read [CLS] alone: ``--config.reader.reads=cls``. Beside
it stand ``marketing_parallel.py``, ``marketing_bert.py`` and ``marketing_lstm.py``, and
the same four on SST-2, ``marketing_sst2*.py``. Split: stratified 80/20, a tenth of the
80 for validation. Training stops after three validations without a smaller loss, and
the best is kept. What differs from the paper and why: ``docs/marketing.md``; scores:
``docs/results/marketing.md``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "marketing"
    config.data.path = "airline_tweets/tweets.csv.gz"
    config.data.text = "text"
    config.data.label = "airline_sentiment"
    config.labels.kind = "names"
    config.labels.classes = ("negative", "neutral", "positive")
    config.pages.page_tokens = config.pages.max_tokens = 128  # no tweet is longer
    config.reader.kind = "lstm"
    config.reader.features = 128
    config.reader.bidirectional = True
    config.head.dropout = 0.5
    config.optimizer.decay_every_steps = 110  # a third of an epoch
    config.train.epochs = 3
    config.train.batch_reviews = 32
    config.train.validate_every_steps = 110
    config.train.stop_metric = "loss"
    config.train.patience = 3
    return config


def in_parallel(config: ConfigDict) -> ConfigDict:
    """[CLS] beside an LSTM over word vectors; dense ReLU; softmax."""
    encoder_alone(config)
    config.words.vectors = "trained"  # or file, with words.path
    config.words.reader.features = 100
    config.words.reader.dropout = 0.2
    config.head.hidden_features = 128
    return config


def encoder_alone(config: ConfigDict) -> ConfigDict:
    """[CLS], dropout, dense, softmax."""
    config.reader.kind = "mean"
    config.reader.reads = "cls"
    config.head.dropout = 0.1
    return config


def words_alone(config: ConfigDict) -> ConfigDict:
    """The same LSTM over word vectors without an encoder, whose tokenizer stays."""
    config.encoder.weights = "none"
    config.words.vectors = "trained"
    config.words.reader.features = 100
    config.words.reader.dropout = 0.2
    config.head.dropout = 0.5
    config.train.epochs = 10  # nothing is pre-trained; patience ends it before
    return config
