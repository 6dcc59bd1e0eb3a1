"""Forecast scores -> the few lines that a command prints, and what they amount to."""

from collections.abc import Mapping
from typing import Any

SYSTEMS = {
    "model": "LSTNet",
    "persistence": "persistence (last value)",
    "seasonal_naive": "seasonal naive",
    "ar_ridge": "AR ridge",
}
"""Names of the systems, in the order in which they stand."""

_COLUMNS = {
    "rse": "RSE",
    "rse_per_series": "RSE per series",
    "corr": "CORR",
    "mae": "MAE",
    "skill": "skill",
}


def summarise_forecast(metrics: Mapping[str, Any]) -> str:
    """The scores of all systems on test as a small table, and the verdict."""
    horizon = metrics["horizon"]
    rows = [[f"Test, horizon {horizon}", *_COLUMNS.values()]]
    for key, name in SYSTEMS.items():
        test = metrics["systems"][key]["test"]
        rows.append([name, *(_cell(test[column]) for column in _COLUMNS)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), verdict(metrics)])


def verdict(metrics: Mapping[str, Any]) -> str:
    """In words: does the model beat persistence, in how many series, and what is best.

    Compared by RSE, pooled; a tie is no victory.
    """
    test = {key: metrics["systems"][key]["test"] for key in SYSTEMS}
    model, naive = test["model"], test["persistence"]
    if model["rse"] is None:
        return "The test rows never change, so there is no RSE to compare."
    skill = model["skill"]
    if skill is None:
        return "Persistence is never wrong on these test rows: nothing can beat it."
    each = [row["skill"] for row in model["per_series"].values()]
    known = [value for value in each if value is not None]
    better = sum(value > 0 for value in known)
    beats = "beats" if skill > 0 else "does not beat"
    sentence = (
        f"The model {beats} persistence: RSE {model['rse']:.4f} against "
        f"{naive['rse']:.4f}; better in {better} of {len(known)} series."
    )
    best = min(test, key=lambda key: test[key]["rse"])
    if best not in ("model", "persistence"):
        sentence += f" Best of all is {SYSTEMS[best]} with {test[best]['rse']:.4f}."
    return sentence


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
