"""BERT-LSTM, sequential: tweets about US airlines; MiniLM on two cores.

Command::

    python -m launch.train --config=configs/marketing.py \
        --config.data.path=$REVIEWINTENT_DATA/airline_tweets/tweets.csv.gz

A bidirectional LSTM of 128 units reads the states of all tokens; dropout .5, dense,
softmax. The paper's text has it read [CLS] alone: ``--config.reader.reads=cls``. The
parallel reading, BERT alone, LSTM alone: the other ``configs/marketing_*.py``. Split:
stratified 80/20, a tenth of the 80 for validation; training stops after three
validations without a smaller loss, and the best is kept. What differs from the paper
and why: ``docs/marketing.md``; scores: ``docs/results/marketing.md``.
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
    config.optimizer.warmup_steps = 50
    config.optimizer.decay_every_steps = 100  # of about 330 in an epoch
    config.train.epochs = 3
    config.train.batch_reviews = 32
    config.train.validate_every_steps = 110  # three times an epoch
    config.train.stop_metric = "loss"
    config.train.patience = 3
    return config
