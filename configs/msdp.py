"""MSDP-Net: whether, for how much and when, from declared sources; every setting.

Reads up to three sources of a case: texts, a table of events, structured fields; any of
them may be missing, for a case or for all. Command, for a table of purchases::

    python -m launch.train --config=configs/msdp.py \
        --config.events.path=purchases.csv --config.events.subject=customer \
        --config.events.time=date --config.events.value=amount \
        --config.cuts.dates="('2023-01-01', '2023-07-01')" \
        --config.targets.intent=events --config.targets.value=events \
        --config.targets.time=events --workdir=runs/buyers

The tree mirrors the dataclasses that ``MsdpConfig`` of ``reviewintent_jax/
build_msdp.py`` lists; docs/msdp.md explains the declaration. Hardware: a CPU; minutes.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.name = "msdp"
    config.task = "msdp"
    config.seed = 42
    add_data(config)
    add_targets(config)
    add_texts(config)
    add_model(config)
    add_training(config)
    base.add_devices(config)
    return config


def add_data(config: ConfigDict) -> None:
    """The declaration: which tables, and what their columns are."""
    config.data = ConfigDict(  # the table of cases: a row a customer, an order, ...
        {
            "kind": "table",  # table (a file of yours), or members (built in)
            "path": "",  # '' = the subjects of the events are the cases
            "header": (),  # names of the columns, of a text file without a header
            "subject": "",  # column: whose row; joins to events, never crosses splits
            "time": "",  # column: when the row is asked about; '' = at the cut dates
            # 05/06/2014 is: iso = refused, day_first = 5 June, month_first = May 6
            "date_order": "iso",
            "texts": (),  # columns read as one text, titles first
            "categories": (),  # columns of names or codes
            "numbers": (),  # columns of numbers
            "log_numbers": (),  # those of them whose log(1 + x) is read
            "dates": (),  # columns of dates, read as days from the case's moment
            "dates_ahead": (),  # those of them that may lie after it: promises
            "seasons": False,  # read month and weekday of the case's moment
            "shop_rows": 6_000,
            "shop_seed": 7,
        }
    )
    config.events = ConfigDict(  # a second table, many rows a subject
        {
            "path": "",  # '' = no events
            "header": (),
            "subject": "",  # column: whose event
            "time": "",  # column: when
            "order": "",  # column: lines with the same value are one event
            "kind": "",  # column: what happened; '' = return if negative, else purchase
            "targets": (),  # kinds that targets are made from; () = all
            "item": "",  # column: what it was about
            "value": "",  # column of a number, such as a price
            "quantity": "",  # column of a number that multiplies it
            "texts": (),  # columns read as one text, titles first
            "recent": 32,  # newest events that are read
            "recent_texts": 3,  # newest texts of events that are read
            "max_items": 200,  # commonest items that are told apart
            # put recency, frequency, span and mean value among the structured numbers
            "summaries": False,
        }
    )


def add_targets(config: ConfigDict) -> None:
    """The declaration: what is asked, when, and of whom."""
    config.cuts = ConfigDict(
        {
            "dates": (),  # events before are read, events from then on are the answers
            # ISO date: until when events, and dates waited for, are known; '' = newest
            "known_until": "",
        }
    )
    config.targets = ConfigDict(
        {
            "horizon_days": 90,  # yes = within so many days of the cut
            "intent": "",  # events, or a column of the cases; '' = not asked
            "positive": (),  # values of that column that count as yes
            "value": "",  # events = of the next event, or a column; '' = not asked
            "time": "",  # events, or a column with the date of what is waited for
            "followed_until": "",  # column: date up to which a row was followed
            "interval_days": (7.0, 14.0, 30.0, 60.0, 90.0),  # ends, of the hazard
        }
    )
    config.split = ConfigDict(  # of subjects; each lies on one side alone
        {"test_fraction": 0.2, "validation_fraction": 0.1, "seed": 42}
    )


def add_texts(config: ConfigDict) -> None:
    """How texts are read, where there are any: the encoder is not trained here."""
    whole = base.get_config()
    config.clean = whole.clean
    config.pages = whole.pages
    config.pages.max_tokens = 256
    config.encoder = whole.encoder


def add_model(config: ConfigDict) -> None:
    """Encoders of the sources, fusion, trunk and heads."""
    config.lstnet = ConfigDict(  # reads the events, one a step
        {
            "kernel_sizes": (1, 3),
            "channels": 16,  # for each kernel size
            "padding": "causal",
            "recurrent_features": 32,
            "recurrent_layers": 1,  # 1 to 3
            "candidate": "tanh",  # relu, tanh
            "skip_period": 0,  # 0 = no skip layer
            "skip_features": 0,
            "fusion": "attention",  # skip, attention (LSTNet-Attn), trend
            "highway_window": 4,  # newest events; 0 = no highway
            "summary_features": 1,  # set to network.features
            "dropout": 0.1,
            "gate_fusion": "separate",  # speed only
            "unroll": 1,  # speed only
        }
    )
    config.network = ConfigDict(
        {
            "sources": (),  # text, behaviour, structured; () = all that there are
            "features": 32,  # of each source's vector, of their fusion and of the trunk
            "item_features": 8,
            "category_features": 4,
            "dropout": 0.1,
            "source_dropout": 0.0,  # hides a source of a case, so that each is learned
        }
    )
    config.loss = ConfigDict(
        {
            "weighting": "learned",  # fixed, learned (uncertainty of each task)
            "intent_weight": 1.0,
            "value_weight": 1.0,
            "time_weight": 1.0,
        }
    )


def add_training(config: ConfigDict) -> None:
    """How the model learns, and what is measured when it has."""
    config.optimizer = ConfigDict(
        {
            "encoder_rate": 0.0,  # the encoder is not trained
            "head_rate": 3e-3,
            "history_rate": 0.0,  # there are no histories of reviews
            "warmup_steps": 20,
            "decay_every_steps": 0,  # 0 = never
            "decay_factor": 1.0,
            "weight_decay": 1e-2,
            "clip_norm": 1.0,  # 0 = off
            "beta1": 0.9,
            "beta2": 0.999,
            "epsilon": 1e-8,
        }
    )
    config.train = ConfigDict(
        {
            "epochs": 20,
            "max_steps": 0,  # 0 = no limit
            "batch_windows": 256,  # cases in an update
            "accumulate": 1,  # micro-batches in an update
            "validate_every_steps": 0,  # 0 = once an epoch
            "checkpoint_every_steps": 0,  # beside those at validations
            "log_every_steps": 20,
            "stop_metric": "loss",  # loss, auc
            "patience": 4,  # validations without a better score; 0 = never stop early
            "prefetch": 2,  # batches prepared ahead
        }
    )
    config.evaluation = ConfigDict(
        {
            "batch_cases": 1024,
            "single_sources": True,  # train the same network on each source alone
            "bootstrap_samples": 300,  # behind the intervals; 0 = none
        }
    )
