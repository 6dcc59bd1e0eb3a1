"""Every setting of a forecast, with its meaning, unit and range.

``python -m launch.train --config=configs/forecast.py --config.data.path=mine.csv``
forecasts any table of numbers. The tree mirrors the dataclasses that ``ForecastConfig``
of ``reviewintent_jax/build_forecast.py`` lists. The model is the LSTNet-skip of its
authors' code; where learning differs by default, it does so for honesty (the scale is
fitted on training rows alone) and for tables of other units (errors count scaled).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.name = "forecast"
    config.task = "forecast"
    config.seed = 42
    add_data(config)
    add_model(config)
    add_training(config)
    base.add_devices(config)
    return config


def add_data(config: ConfigDict) -> None:
    """Which table, and how it becomes windows."""
    config.data = ConfigDict(
        {
            "path": "",  # CSV, TSV, TXT, JSONL or Parquet; .gz and .zst too; globs; a,b
            "header": "auto",  # yes, no; auto = if its first row is not all values
            "time": "auto",  # column of the dates; auto = look for one; '' = none
            # 05/06/2014 is: iso = refused, day_first = 5 June, month_first = May 6
            "date_order": "iso",
            "columns": (),  # the series; () = all columns but the dates
        }
    )
    config.windows = ConfigDict(
        {
            "window": 168,  # steps that a forecast reads
            "horizon": 3,  # steps from the last of them to the forecast
            "train_fraction": 0.6,  # of the rows, the oldest
            "validation_fraction": 0.2,  # those after them; the rest is test
            "scale": "max",  # none, max (largest absolute value), standard
            "scale_fit": "train",  # or all: test rows too, for parity with the paper
        }
    )


def add_model(config: ConfigDict) -> None:
    """LSTNet, and how its summary becomes a forecast."""
    config.lstnet = ConfigDict(
        {
            "kernel_sizes": (6,),  # steps
            "channels": 100,  # for each kernel size
            "padding": "valid",  # causal, valid (the authors' code)
            "recurrent_features": 100,
            "recurrent_layers": 1,  # 1 to 3
            "candidate": "tanh",  # relu (paper), tanh (the authors' code)
            "skip_period": 24,  # steps; 0 = no skip layer
            "skip_features": 5,
            "fusion": "skip",  # skip, attention (LSTNet-Attn), trend (equations 8-13)
            "highway_window": 24,  # steps; 0 = no highway
            "summary_features": 1,  # set from the table: one for each series
            "dropout": 0.2,
            "gate_fusion": "fused",  # speed only: docs/results/recurrent.md
            "unroll": 1,  # speed only: docs/results/recurrent.md
        }
    )
    config.forecaster = ConfigDict(
        {
            "output": "none",  # none, sigmoid (scaled values in (0, 1) only), tanh
            "anchor": "none",  # last = forecast the change from the last value
        }
    )


def add_training(config: ConfigDict) -> None:
    """How the model learns, and what is measured when it has."""
    config.optimizer = ConfigDict(
        {
            "encoder_rate": 0.0,  # a table has no encoder
            "head_rate": 1e-3,
            "history_rate": 0.0,  # there are no histories
            "warmup_steps": 0,
            "decay_every_steps": 0,  # 0 = never
            "decay_factor": 1.0,
            "weight_decay": 0.0,
            "clip_norm": 10.0,  # 0 = off
            "beta1": 0.9,
            "beta2": 0.999,
            "epsilon": 1e-8,
        }
    )
    config.train = ConfigDict(
        {
            "epochs": 100,
            "max_steps": 0,  # 0 = no limit
            "batch_windows": 128,
            "accumulate": 1,  # micro-batches in an update
            "loss": "l1",  # l1, l2
            "loss_units": "scaled",  # scaled; table = as written, as the authors do
            "loss_total": "mean",  # mean; sum = as the authors do
            "validate_every_steps": 0,  # 0 = once an epoch
            "checkpoint_every_steps": 200,  # beside those at validations
            "log_every_steps": 20,
            "stop_metric": "rse",  # rse, rse_per_series, mae, loss; smaller is better
            "patience": 15,  # validations without a better score; 0 = never stop early
            "prefetch": 2,  # batches prepared ahead
        }
    )
    config.evaluation = ConfigDict(
        {
            "batch_windows": 256,
            "season": 24,  # steps of the season that seasonal-naive repeats
            # Penalties that the AR ridge is tried with; validation chooses.
            "ridge_alphas": (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5),
        }
    )
