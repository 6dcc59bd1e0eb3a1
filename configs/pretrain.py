"""Every setting of a pre-training, with its meaning, unit and range.

``python -m launch.train --config=configs/pretrain.py --config.data.path=reviews.csv
--config.data.text=review --config.data.label=stars`` learns a tokenizer and an encoder
of XLM-R's shape from the training split of a labelled table, and from more text beside
it. The tree mirrors the dataclasses that ``PretrainConfig`` of
``reviewintent_jax/build_pretrain.py`` lists. The groups ``data`` to ``split`` must be
those of the fine-tuning, so that nothing is read that it will be tested on.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.name = "pretrain"
    config.task = "pretrain"
    config.seed = 42
    add_texts(config)
    add_model(config)
    add_training(config)
    base.add_devices(config)
    return config


def add_texts(config: ConfigDict) -> None:
    """The labelled source as fine-tuning reads it, and more text beside it."""
    usual = base.get_config()
    for group in ("data", "check", "clean", "duplicates", "labels", "split"):
        config[group] = usual[group]
    config.corpus = ConfigDict(
        {
            "path": "",  # tables of more text; globs; a,b; '' = none
            "text": "text",  # their column of text
            "held_out_fraction": 0.05,  # for validation, and as much again for test
            "seed": 42,
        }
    )
    config.tokenizer = ConfigDict(
        {
            "vocab_size": 6_000,  # special tokens and mask included
            "max_piece_length": 12,  # characters
            "shrinking_factor": 0.5,  # nearer to 1 = slower, a little better
        }
    )
    config.pages = ConfigDict(
        {
            "page_tokens": 512,  # a multiple of chunk_tokens
            "chunk_tokens": 128,  # what attention spans
            "max_tokens": 512,  # longest text kept; cuts are counted and reported
            "slots": 96,  # most texts on a page
        }
    )


def add_model(config: ConfigDict) -> None:
    """Sizes of the encoder, and which tokens are hidden."""
    config.encoder = ConfigDict(
        {
            "hidden_size": 128,
            "num_layers": 3,
            "num_heads": 4,
            "intermediate_size": 384,
            "max_tokens": 512,  # longest segment; the table has two rows more
            "dropout": 0.0,  # few passes over the text: there is nothing to forget
            "dtype": "float32",  # bfloat16 on GPU and TPU
        }
    )
    config.masking = ConfigDict(  # BERT's rule
        {
            "share": 0.15,  # of the tokens of a page are asked for
            "mask": 0.8,  # of these become the mask
            "random": 0.1,  # of these become another piece; the rest stay
        }
    )


def add_training(config: ConfigDict) -> None:
    """How the encoder learns, and what is measured when it has."""
    config.optimizer = ConfigDict(
        {
            "encoder_rate": 2e-3,
            "head_rate": 2e-3,
            "history_rate": 0.0,  # there are no histories
            "warmup_steps": 200,
            "decay_every_steps": 500,
            "decay_factor": 0.7,
            "weight_decay": 0.01,
            "clip_norm": 1.0,  # 0 = off
            "beta1": 0.9,
            "beta2": 0.98,
            "epsilon": 1e-6,
        }
    )
    config.train = ConfigDict(
        {
            "epochs": 10,
            "max_steps": 0,  # 0 = no limit
            "batch_pages": 4,  # small: a little text must give many updates
            "accumulate": 1,  # micro-batches in an update
            "validate_every_steps": 0,  # 0 = once an epoch
            "checkpoint_every_steps": 200,  # beside those at validations
            "log_every_steps": 50,
            "patience": 0,  # validations without a better score; 0 = never stop early
            "prefetch": 4,  # batches prepared ahead
        }
    )
    config.evaluation = ConfigDict(
        {"batch_pages": 8, "bootstrap_samples": 1_000, "seed": 0}
    )
