"""Prepares data once, for one run or many: ``python -m launch.prepare``.

    python -m launch.prepare --config=configs/yelp.py --workers=8
    python -m launch.train --config=configs/yelp.py

Raw files are checked, cleaned, split and tokenised, by all cores of this machine or,
with ``--beam``, by the workers of an Apache Beam runner. Without ``prepared.folder``
the data go to the run's folder, where ``launch.train`` finds them; with
``--config.prepared.folder=FOLDER`` any number of runs share them. Stopped in between,
by Ctrl-C or SIGTERM or in any other way, the same command goes on.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from launch import runtime
from launch.engines import engine_of
from reviewintent_jax.build import prepare_data
from reviewintent_jax.configuration import TaskKind, read_config, task_of
from reviewintent_jax.data.prepared import Prepared, check_hashes
from reviewintent_jax.run_folders import refuse_foreign_folder
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/.")
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "Folder of the run; default: runs/ and the config's name."
)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes on this machine; 0 = one for each core.", lower_bound=0
)
_BEAM = flags.DEFINE_string(
    "beam",
    "",
    "Options of an Apache Beam pipeline, such as "
    "'--runner=SparkRunner --spark_master_url=...'; '' = this machine alone.",
)
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Reads every file again and compares its hash with the manifest."
)


def main(argv: list[str]) -> None:
    """Config in, folder of prepared data out."""
    del argv
    values = runtime.config_values(lambda: _CONFIG.value)
    if task_of(values) is not TaskKind.REVIEW:
        raise InputError(
            "Only runs on reviews are prepared beforehand: launch.train reads the data "
            "of this task itself.",
            where="field task",
        )
    config = read_config(values)
    run = _folder(config.name, config.prepared.folder)
    engine = engine_of(_BEAM.value, _WORKERS.value)
    runtime.end_in_order()
    prepared = prepare_data(config, run, engine)
    if _VERIFY.value:
        check_hashes(run.prepared)
    say(describe(prepared))
    say(f"Rows set aside: {run.rejected}")


def describe(prepared: Prepared) -> str:
    """What was prepared, in a few lines."""
    summary, store = prepared.summary, prepared.store
    tokens = int(store.lengths().sum())
    size = sum(shard.bytes for shard in store.shards)
    splits = ", ".join(f"{n['rows']:,} {name}" for name, n in summary["splits"].items())
    return (
        f"{summary['rows']:,} rows read, {summary['accepted']:,} accepted: {splits}\n"
        f"{tokens:,} tokens in {len(store.shards):,} shards, {size / 1e6:,.1f} MB\n"
        f"Prepared data: {prepared.folder}"
    )


def _folder(name: str, shared: str) -> RunFolder:
    if not shared:
        run = runtime.run_folder(_WORKDIR.value or Path("runs") / name)
        refuse_foreign_folder(run)
        return run
    if _WORKDIR.value:
        raise InputError(
            "With prepared.folder, the data do not go to a run's folder.",
            where="flag --workdir",
            fix="Leave out one of --workdir and --config.prepared.folder.",
        )
    runtime.run_folder(Path(shared).parent)
    return RunFolder(Path(shared).parent, shared=shared)


if __name__ == "__main__":
    runtime.run(
        main, after_stop="The same command goes on with the blocks that are done."
    )
