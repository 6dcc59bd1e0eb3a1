"""Measures everything: ``python -m launch.benchmark --config=configs/benchmark.py``.

Writes ``docs/results/benchmark.json`` and ``docs/benchmark.md`` with its plots. Every
part runs in processes of its own and is kept as it is finished; parts that are there
with the same settings, versions and kind of machine, and whole, are not measured again.
What was measured elsewhere leaves the page and is kept in ``benchmark.before.json``.
``--config.only=latency,peers`` measures the parts whose names begin so;
``--config.again`` measures them anew. What the systems are compared with is installed
by ``pip install '.[bench]'``; what is absent is reported as absent.
"""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_collections import config_flags

from launch import runtime
from launch.benchmark_parts import parts_of
from reviewintent_jax.benchmark.benchmark_page import benchmark_page, benchmark_plots
from reviewintent_jax.benchmark.runner import Part, open_records, run_part
from reviewintent_jax.benchmark.timing import load_average
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_ROOT = Path(__file__).parents[1]
_CODE = "reviewintent_jax", "configs", "launch"  # what a measurement depends on
_CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/benchmark.py", "What to measure, and how."
)


def main(argv: list[str]) -> None:
    """Config in, records, page and plots out."""
    del argv
    runtime.config_values(lambda: _CONFIG.value)  # a clear error where it is not there
    config: Any = _CONFIG.value
    folder = Path(config.folder)
    path = folder / "results" / "benchmark.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = parts_of(config)
    names = {part.name for part in parts}
    kept = {name: part for name, part in open_records(path).items() if name in names}
    kept = _measured_here(kept, path)
    _check_data()
    for part in _wanted(parts, config.only):
        if not config.again and _is_measured(kept.get(part.name), part):
            continue
        say(f"Measuring {part.name} ...")
        kept[part.name] = _measured(part)
        for name, said in kept[part.name]["workers"].items():
            for lack in ("absent", "failed"):
                if lack in said:
                    say(f"  {name}: {lack} ({said[lack]})")
        write_json(path, {"parts": kept})
    results = {"parts": kept}
    write_page(results, folder)
    say(f"Benchmark: {folder / 'benchmark.md'}")


def _check_data() -> None:
    """Says where the published data sets are not.

    Raises:
      InputError: ``REVIEWINTENT_DATA`` names no folder.
    """
    data = os.environ.get("REVIEWINTENT_DATA")
    if not data:
        say("REVIEWINTENT_DATA is not set: parts that read published data are absent.")
    elif not Path(data).is_dir():
        raise InputError(
            f"REVIEWINTENT_DATA names no folder: {data}",
            fix="Set it to the folder of the published data sets, or unset it.",
        )


def _measured_here(kept: dict[str, Any], path: Path) -> dict[str, Any]:
    """The records of this kind of machine and of these versions.

    Where there are others, all are kept in a file beside, and it is said.
    """
    here = runtime.environment()
    mine = {name: part for name, part in kept.items() if part["environment"] == here}
    if len(mine) < len(kept):
        before = path.with_suffix(".before.json")
        shutil.copyfile(path, before)
        say(
            f"{len(kept) - len(mine)} parts in {path} are of another machine or other "
            f"versions and leave the page; they are kept in {before}."
        )
    return mine


def _is_measured(before: dict[str, Any] | None, part: Part) -> bool:
    """Whether a part is there with the same settings, and nothing in it was missing."""
    if before is None or before["settings"] != part.settings():
        return False
    workers = before["workers"].values()
    return not any("absent" in each or "failed" in each for each in workers)


def _wanted(parts: list[Part], asked: str) -> list[Part]:
    """The parts that were asked for.

    Args:
      parts: all there are.
      asked: beginnings of names, with commas between them; '' = all.

    Raises:
      InputError: no name begins like one of them.
    """
    only = tuple(each.strip() for each in asked.split(",") if each.strip())
    names = [part.name for part in parts]
    unknown = [
        each for each in only if not any(name.startswith(each) for name in names)
    ]
    if unknown:
        raise InputError(
            f"No part of the benchmark begins with {' or '.join(unknown)}.",
            fix=f"There are: {', '.join(names)}.",
        )
    return [part for part in parts if not only or part.name.startswith(only)]


def _measured(part: Part) -> dict[str, Any]:
    """The record of a part: what was measured, where, and how busy the machine was."""
    before, began, commit = load_average(), datetime.now(UTC), _commit()
    workers = run_part(part)
    return {
        "settings": part.settings(),
        "measured": began.isoformat(timespec="minutes"),
        "commit": commit,
        "environment": runtime.environment(),
        "load_before": before,
        "load_after": load_average(),
        "workers": workers,
    }


def _commit() -> str | None:
    """The code's commit, with a + where it was changed since; None without git."""

    def git(*words: str) -> "subprocess.CompletedProcess[str]":
        command = ["git", "-C", str(_ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    try:
        named = git("rev-parse", "--short", "HEAD")
        changed = git("status", "--porcelain", "--", *_CODE).stdout
    except OSError:
        return None
    return named.stdout.strip() + "+" * bool(changed) if not named.returncode else None


def write_page(results: dict[str, Any], folder: Path) -> None:
    """Writes the page and its plots from the records alone."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, svg in benchmark_plots(results).items():
        (images / f"{name}.svg").write_text(svg, "utf-8")
    (folder / "benchmark.md").write_text(benchmark_page(results), "utf-8")


if __name__ == "__main__":
    runtime.run(main, after_stop="The same command goes on after the last whole part.")
