"""The benchmark: what is measured, beside what, and for how long.

Command::

    python -m launch.benchmark --config=configs/benchmark.py

Each part is kept in ``docs/results/benchmark.json`` as it is finished, and what is
there with the same settings, versions and kind of machine is not measured again: an
interrupted benchmark goes on.
``--config.only=training,peers`` measures the parts whose names begin so.
``REVIEWINTENT_DATA`` names the folder of the published data sets; without it the
built-in shop alone is read, and parts that need the others say so. Run nothing beside
it. Hardware: two CPU cores, about two hours; with a GPU: ``launch/gpu_benchmark.py``.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.folder = "docs"  # benchmark.md, images/ and results/benchmark.json
    config.work = "runs/benchmark"  # prepared data, compiled programs
    config.only = ""  # beginnings of names of parts: a,b; '' = all
    config.again = False  # measure what was measured before with the same settings
    config.rounds = 5  # turns that each of several systems takes
    config.systems = ConfigDict(  # what is measured -> its file in configs/
        {
            "BERT-LSTNet-Softmax": "demo",
            "BERT-LSTNet-Softmax with histories": "shop_intention",
            "BERT-BiLSTM-Softmax": "marketing",
            "BERT and LSTM over words": "marketing_parallel",
            "BERT alone": "marketing_bert",
            "LSTM over words": "marketing_lstm",
            "LSTNet forecaster": "exchange_rate",
            "LSTNet headings": "shop_series",
            "MSDP-Net": "msdp_members",
            "Pre-training of XLM-R's shape": "pretrain_ukrainian",
            "XLM-R's shape for a Ukrainian shop": "ukrainian",
        }
    )
    # of systems: the demo, and a forecast of a table
    config.starts = ("BERT-LSTNet-Softmax", "LSTNet forecaster")
    config.shop_rows = 6_000  # of the built-in shop, where that is read
    config.data = ConfigDict(  # files of configs/ -> their data in REVIEWINTENT_DATA
        {
            "exchange_rate": "lstnet/exchange_rate.txt.gz",
            "airline_tweets": "airline_tweets/tweets.csv.gz",
            "yelp10k": "yelp10k/yelp.csv.gz",
            "marketing": "airline_tweets/tweets.csv.gz",
            "marketing_parallel": "airline_tweets/tweets.csv.gz",
            "marketing_bert": "airline_tweets/tweets.csv.gz",
            "marketing_lstm": "airline_tweets/tweets.csv.gz",
            "pretrain_ukrainian": "ukrainian_shop/reviews.csv.gz",
            "ukrainian": "ukrainian_shop/reviews.csv.gz",
        }
    )
    config.sizes = ConfigDict({"lengths": (16, 32, 64, 128, 256, 512)})
    config.latency = ConfigDict(
        {
            "batches": (1, 8, 32, 128),  # items asked about at once
            "lengths": (16, 32, 64, 128, 512),  # tokens of a review
            "calls": 100,  # of each pair, where they fit into ...
            "seconds": 120.0,
            "few_calls": 10,  # where they do not: enough for the ninth of ten
        }
    )
    config.training = ConfigDict({"updates": 5})  # of a round
    add_peers(config)
    add_costs(config)
    return config


def add_peers(config: ConfigDict) -> None:
    """What the systems stand beside, on published data sets."""
    config.peers = ConfigDict(
        {
            "data": ("airline_tweets", "yelp10k"),  # files in configs/
            # micro-batches of our updates: tweets are short, Yelp's reviews long
            "accumulate": (1, 2),
            "cap": 128,  # tokens of a review, on both sides
            "updates": 5,  # of a round of training
            "rows": 1_024,  # of a round of scoring
            "batch_sizes": (1, 8, 16, 32, 64),  # of which the pipeline takes its best
        }
    )
    config.recurrent = ConfigDict({"rounds": 41, "unrolls": (1,)})


def add_costs(config: ConfigDict) -> None:
    """By which sizes the growth of cost is measured, and their values."""
    config.cost = ConfigDict(
        {
            "tokens": (16, 32, 64, 128, 256, 512, 1024, 2048, 4096),  # of a review
            "window": (7, 14, 28, 56),  # reviews of a history
            "classes": (2, 8, 32, 128, 512),
            "hidden": (64, 128, 256, 384, 512),  # features of the encoder
            "reviews": (1_000, 10_000, 100_000, 1_000_000),  # prepared
            "read": 4_096,  # tokens of an update; fewer reviews where they are longer
            "rounds": 3,
        }
    )
