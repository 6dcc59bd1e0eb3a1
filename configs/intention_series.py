"""Where intention is heading, by day, week or month: every setting, with its meaning.

Counts reviews by group and period, and learns from the last seven periods what the next
one brings: the share of positive reviews, the share that recommend, the log volume, and
whether each of them falls, stays or rises. Command::

    python -m launch.train --config=configs/intention_series.py \
        --config.data.path=reviews.csv --config.data.time=date \
        --config.data.positive=stars --config.data.group=product --workdir=runs/heading

The tree mirrors the dataclasses that ``HeadingConfig`` of
``reviewintent_jax/build_heading.py`` lists. Hardware: a CPU; a minute or two.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.name = "intention_series"
    config.task = "heading"
    config.seed = 42
    add_data(config)
    add_model(config)
    add_training(config)
    base.add_devices(config)
    return config


def add_data(config: ConfigDict) -> None:
    """Which reviews, what they are counted by, and how they become windows."""
    config.data = ConfigDict(
        {
            "kind": "table",  # table (a file of yours), or shop (built in)
            "path": "",  # CSV, TSV, JSONL or Parquet; .gz and .zst too; globs; a,b
            "time": "time",  # column with the review's time
            # 05/06/2014 is: iso = refused, day_first = 5 June, month_first = May 6
            "date_order": "iso",
            "group": "",  # column: product, business, category; '' = all as one
            # column with stars, 0/1 or class names, such as predicted (of
            # launch.predict); '' = no share of positive reviews
            "positive": "stars",
            "positive_class": "positive",  # the class whose share that is
            "recommending": "",  # column with 0/1: would recommend; '' = no such share
            "period": "month",  # day, week (from Monday), month; UTC
            "shop_rows": 20_000,
            "shop_seed": 7,
        }
    )
    config.labels = ConfigDict(  # how the column `positive` becomes classes
        {
            "kind": "auto",  # auto, stars, binary, names
            "negative_stars": (1.0, 2.0),
            "neutral_stars": (3.0,),  # counted, and not positive
            "positive_stars": (4.0, 5.0),
            "classes": (),  # names in order; () = as found
            "aliases": (),  # other spellings: ("gut -> positive",)
        }
    )
    config.windows = ConfigDict(
        {
            "window": 7,  # periods that a forecast reads
            "horizon": 1,  # periods from the last of them to the forecast
            "min_reviews": 10,  # reviews that a window holds at least
            "min_periods": 3,  # periods since the group's first review; rest is masked
            "train_fraction": 0.6,  # of the windows, those with the oldest targets
            "validation_fraction": 0.2,  # those after them; the rest is test
            "share_tolerance": 0.02,  # a share that moves by no more is steady
            "volume_tolerance": 0.1,  # the same of log(1 + reviews): about 10 %
        }
    )


def add_model(config: ConfigDict) -> None:
    """LSTNet, its forecast of values, and a softmax of directions beside it."""
    config.lstnet = ConfigDict(
        {
            "kernel_sizes": (1, 2, 3),  # periods
            "channels": 16,  # for each kernel size
            "padding": "causal",  # causal, valid
            "recurrent_features": 32,
            "recurrent_layers": 1,  # 1 to 3
            "candidate": "tanh",  # relu, tanh
            "skip_period": 0,  # periods; 0 = no skip layer
            "skip_features": 0,
            "fusion": "skip",  # skip, attention (LSTNet-Attn), trend (equations 8-13)
            "highway_window": 7,  # periods; 0 = no highway
            "summary_features": 1,  # set from the data: one for each measure
            "dropout": 0.2,
            "gate_fusion": "separate",  # speed only
            "unroll": 1,  # speed only
        }
    )
    config.forecaster = ConfigDict(
        {
            "output": "none",  # none, sigmoid (scaled values in (0, 1) only), tanh
            # last = forecast the change from the last value, for levels that drift;
            # none = the value itself, for levels that come back to their mean
            "share_anchor": "none",
            "volume_anchor": "last",
        }
    )
    config.head = ConfigDict({"dropout": 0.2})  # before the softmax of directions


def add_training(config: ConfigDict) -> None:
    """How the model learns, and what is measured when it has."""
    config.optimizer = ConfigDict(
        {
            "encoder_rate": 0.0,  # counted reviews have no encoder
            "head_rate": 3e-3,
            "history_rate": 0.0,  # there are no histories
            "warmup_steps": 0,
            "decay_every_steps": 0,  # 0 = never
            "decay_factor": 1.0,
            "weight_decay": 1e-3,
            "clip_norm": 1.0,  # 0 = off
            "beta1": 0.9,
            "beta2": 0.999,
            "epsilon": 1e-8,
        }
    )
    config.train = ConfigDict(
        {
            "epochs": 100,
            "max_steps": 0,  # 0 = no limit
            "batch_windows": 64,
            "accumulate": 1,  # micro-batches in an update
            "loss": "l1",  # of values: l1, l2; in deviations of each measure
            "value_weight": 1.0,
            "direction_weight": 0.5,  # of the directions' cross-entropy, in nats
            "validate_every_steps": 0,  # 0 = once an epoch
            "checkpoint_every_steps": 200,  # beside those at validations
            "log_every_steps": 20,
            "stop_metric": "loss",  # loss, mae; accuracy, macro_f1 (of directions)
            "patience": 20,  # validations without a better score; 0 = never stop early
            "prefetch": 2,  # batches prepared ahead
        }
    )
    config.evaluation = ConfigDict(
        {
            "batch_windows": 256,
            # Penalties that ridge and logistic regression are tried with; validation
            # chooses.
            "ridge_alphas": (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4),
            "logistic_costs": (1e-3, 1e-2, 1e-1, 1.0),
            "bootstrap_samples": 1000,  # behind the intervals; 0 = none
        }
    )
