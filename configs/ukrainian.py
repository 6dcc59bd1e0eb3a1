"""Reviews of a Ukrainian shop, negative or positive; XLM-R and a softmax over ``<s>``.

Command::

    python -m launch.train --config=configs/ukrainian.py \
        --config.data.path=$REVIEWINTENT_DATA/ukrainian_shop/reviews.csv.gz

It starts from the small encoder of ``configs/pretrain_ukrainian.py``, which must have
been trained before. Where there is a network, XLM-R itself reads in its place with
``--config.encoder.source=FacebookAI/xlm-roberta-base``,
``--config.optimizer.encoder_rate=2e-5`` and ``--config.pages.chunk_tokens=512``.
Split: stratified 80/20, a tenth of the 80 for validation. How to read the scores:
``docs/ukrainian.md``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "ukrainian"
    add_reviews(config)
    config.data.slice = "translated"  # from Russian by machine: apart from the others
    config.encoder.source = "runs/pretrain_ukrainian/encoder"
    config.encoder.hidden_dropout = config.encoder.attention_dropout = 0.1
    # XLM-R's own reading: the state of <s>, dropout, a dense layer.
    config.reader.kind = "mean"  # over the chunks of a long review
    config.reader.reads = "cls"
    config.optimizer.encoder_rate = 5e-4  # of a small encoder; XLM-R wants 2e-5
    config.optimizer.warmup_steps = 10  # of about a hundred updates
    config.optimizer.decay_every_steps = 25
    config.optimizer.decay_factor = 0.7
    config.train.epochs = 3
    config.train.batch_reviews = 64
    return config


def add_reviews(config: ConfigDict) -> None:
    """Which reviews, and how they are cleaned and split: also for pre-training."""
    config.data.path = "ukrainian_shop/reviews.csv.gz"
    config.data.text = "text"
    config.data.label = "label"
    config.labels.kind = "binary"
    config.labels.classes = ("negative", "positive")
    # Words of the page, which stand in every review that was not translated.
    config.clean.drop_words = ("розгорнути", "згорнути")
