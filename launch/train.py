"""Trains and evaluates: ``python -m launch.train --config=configs/yelp.py``.

The config says what: the sentiment of reviews, the next values of a numeric table,
where the reviews of products are heading, an encoder from text without answers, or
whether, for how much and when somebody buys, from sources that the config declares.

Started again with the same command, a stopped run goes on where it was.
"""

from reviewintent_jax.allocator import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()  # before the imports below start threads
    collect_rarely()

from absl import flags
from ml_collections import config_flags

from launch import distributed, runtime
from launch.kits import KITS
from launch.own_data import train_with
from launch.reviews import train_reviews
from reviewintent_jax.configuration import task_of
from reviewintent_jax.training import hosts

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "A file of configs/. Change its settings with --config.GROUP.NAME=value; all of "
    "them, with their meaning, are in configs/base.py (reviews), forecast.py, "
    "intention_series.py, msdp.py and pretrain.py.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "Folder of the run; default: runs/ and the config's name."
)


def main(argv: list[str]) -> None:
    """Config in, trained and evaluated run folder out."""
    del argv
    values = runtime.config_values(lambda: _CONFIG.value)
    seat = distributed.join()
    if seat is not None:
        runtime.speak_as(seat.process, seat.processes)
    with distributed.leaving_when_told():
        kit = KITS.get(task_of(values))
        if kit is None:
            train_reviews(values, _WORKDIR.value)
        else:
            train_with(kit, values, _WORKDIR.value)
        hosts.wait("end")


if __name__ == "__main__":
    runtime.run(
        main,
        after_stop="The same command goes on from what was saved, if anything.",
    )
