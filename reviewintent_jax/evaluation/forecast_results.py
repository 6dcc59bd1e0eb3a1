"""Finished forecasting runs -> the results that are kept: JSON files and one page.

Runs of one name and horizon that differ in their seed alone are one result: the page
shows their mean and their spread, beside what every baseline makes of the same rows.
"""

import itertools
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reviewintent_jax.evaluation.forecast_summary import SYSTEMS
from reviewintent_jax.evaluation.results import cores_of, write_page
from reviewintent_jax.schema import InputError
from reviewintent_jax.settings import setting_leaves

PUBLISHED = {
    ("exchange_rate", 3): (0.0226, 0.9735),
    ("exchange_rate", 6): (0.0280, 0.9658),
    ("exchange_rate", 12): (0.0356, 0.9511),
    ("exchange_rate", 24): (0.0449, 0.9354),
}
"""RSE and CORR of LSTNet-skip by config and horizon (Lai et al. 2018, table 2)."""

_RSE_WITHIN, _CORR_WITHIN = 0.10, 0.01  # what counts as reproduced


class Group(NamedTuple):
    """Runs that differ in their seed alone.

    Attributes:
      name: of the config.
      horizon: steps.
      metrics: of every run, without paths, by ascending seed.
    """

    name: str
    horizon: int
    metrics: list[dict[str, Any]]


def write_forecast_results(
    metrics: Sequence[dict[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes ``NAME_hHORIZON.json`` for every group and the page; returns the page.

    Args:
      metrics: of evaluated forecasting runs, without paths.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.

    Raises:
      InputError: runs of one name and horizon differ in more than their seed.
    """
    groups = group_runs(metrics)
    for group in groups:
        text = json.dumps(group.metrics, indent=1, ensure_ascii=False) + "\n"
        path = folder / f"{group.name}_h{group.horizon}.json"
        path.write_text(text, "utf-8")
    names = dict.fromkeys(group.name for group in groups)
    sections = [
        _section([group for group in groups if group.name == name], command_of)
        for name in names
    ]
    return write_page(folder / page, sections)


def _differ(settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether runs were told different things.

    A setting that one of them does not know is younger than that run and no difference:
    its default is what runs did before.
    """
    return any(
        one[name] != other[name]
        for one, other in itertools.combinations(settings, 2)
        for name in one.keys() & other.keys()
    )


def group_runs(metrics: Iterable[dict[str, Any]]) -> list[Group]:
    """Runs by name and horizon, seeds ascending.

    Raises:
      InputError: see :func:`write_forecast_results`.
    """
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for each in metrics:
        found.setdefault((each["name"], each["horizon"]), []).append(each)
    groups = []
    for (name, horizon), runs in sorted(found.items()):
        runs.sort(key=lambda run: run["config"]["seed"])
        seeds = [run["config"]["seed"] for run in runs]
        known = [setting_leaves({**run["config"], "seed": 0}) for run in runs]
        if _differ(known) or len(set(seeds)) < len(seeds):
            raise InputError(
                f"Runs of {name} at horizon {horizon} differ in more than their seed, "
                "or not even in that.",
                fix="Give one run of each seed, with the same settings.",
            )
        groups.append(Group(name, horizon, runs))
    return groups


def _section(groups: Sequence[Group], command_of: Callable) -> str:
    """All horizons of one config as Markdown."""
    first = groups[0].metrics[0]
    seconds = [r["training"]["seconds"] for g in groups for r in g.metrics]
    days = sorted({run["created"][:10] for g in groups for run in g.metrics})
    lines = [
        f"## {groups[0].name}",
        "",
        f"`{command_of(first['config'])}`, and the other horizons and seeds "
        f"({_seeds(groups)}); {statistics.median(seconds):,.0f} s of training a run "
        f"(median) on {cores_of(first['environment'])}; "
        f"{' to '.join(dict.fromkeys([days[0], days[-1]]))}.",
    ]
    for score, title in (("rse", "RSE (smaller is better)"), ("corr", "CORR")):
        lines += ["", *_table(groups, score, title)]
    lines += ["", *(f"- Horizon {g.horizon}: {judge(g)}" for g in groups), ""]
    return "\n".join(lines)


def _seeds(groups: Sequence[Group]) -> str:
    """The seeds; "horizons 3, 6: 1, 2; horizon 9: 1" where horizons differ."""
    horizons: dict[str, list[str]] = {}
    for group in groups:
        seeds = ", ".join(str(run["config"]["seed"]) for run in group.metrics)
        horizons.setdefault(seeds, []).append(str(group.horizon))
    if len(horizons) == 1:
        return next(iter(horizons))
    parts = [
        f"horizon{'s' * (len(those) > 1)} {', '.join(those)}: {seeds}"
        for seeds, those in horizons.items()
    ]
    return "; ".join(parts)


def _table(groups: Sequence[Group], score: str, title: str) -> list[str]:
    published = any((g.name, g.horizon) in PUBLISHED for g in groups)
    heads = ["published"] * published + list(SYSTEMS.values())
    lines = [f"| {title}, horizon | " + " | ".join(heads) + " |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for group in groups:
        cells = []
        if published:
            known = PUBLISHED.get((group.name, group.horizon))
            place = ("rse", "corr").index(score)
            cells.append(f"{known[place]:.4f}" if known else "")
        cells += [_spread(_scores(group, key, score)) for key in SYSTEMS]
        lines.append(f"| {group.horizon} | " + " | ".join(cells) + " |")
    return lines


def judge(group: Group) -> str:
    """In words: is the paper reproduced, and is persistence beaten."""
    rse = statistics.fmean(_scores(group, "model", "rse"))
    naive = _scores(group, "persistence", "rse")[0]
    ridge = _scores(group, "ar_ridge", "rse")[0]
    parts = []
    if (group.name, group.horizon) in PUBLISHED:
        paper_rse, paper_corr = PUBLISHED[group.name, group.horizon]
        corr = statistics.fmean(_scores(group, "model", "corr"))
        near = abs(rse / paper_rse - 1) <= _RSE_WITHIN
        near &= abs(corr - paper_corr) <= _CORR_WITHIN
        parts.append(
            f"RSE is {rse / paper_rse - 1:+.1%} and CORR {corr - paper_corr:+.4f} of "
            f"what was published ({'within' if near else 'outside'} "
            f"{_RSE_WITHIN:.0%} and {_CORR_WITHIN})"
        )
    for name, other in (("persistence", naive), ("the AR ridge", ridge)):
        word = "better" if rse < other else "worse"
        parts.append(f"{abs(1 - rse / other):.1%} {word} than {name}")
    return "; ".join(parts) + "."


def _scores(group: Group, system: str, score: str) -> list[float]:
    return [run["systems"][system]["test"][score] for run in group.metrics]


def _spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation over the seeds; one number where all are equal."""
    known = [value for value in values if value is not None]
    if not known:
        return "not defined"
    mean = f"{statistics.fmean(known):.4f}"
    return mean if len(set(known)) == 1 else f"{mean} ± {statistics.stdev(known):.4f}"


def by_task(metrics: Mapping[str, Any]) -> str:
    """``forecast`` or ``heading``; ``review`` for runs that do not say."""
    return dict(metrics).get("task", "review")
