"""Cases of a data set: what they read, what came of them, on which side they lie.

The container alone; :mod:`~reviewintent_jax.data.msdp_build` fills it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.msdp_tables import Events
from reviewintent_jax.schema import NO_LABEL, InputError

NO_TEXT = -1


class Targets(NamedTuple):
    """Answers of cases.

    Attributes:
      intent_n: int32 1 yes, 0 no, ``NO_LABEL`` unknown.
      value_n: float64, NaN unknown.
      days_n: float64 days to the event, or to the end of follow-up; NaN unknown.
      came_n: bool, the event was seen; False = censored at ``days_n``.
      followed_n: float64 days for which it would have been seen; infinite where what
        ends a case's follow-up is not known beforehand.
    """

    intent_n: np.ndarray
    value_n: np.ndarray
    days_n: np.ndarray
    came_n: np.ndarray
    followed_n: np.ndarray


def unknown_targets(count: int) -> Targets:
    """Nobody knows."""
    return Targets(
        np.full(count, NO_LABEL, np.int32),
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.zeros(count, bool),
        np.full(count, np.inf),
    )


class Cases(NamedTuple):
    """Cases of a data set, with what they read and what came of it.

    Attributes:
      names: [n], subject of each, or the line of its row.
      subject_n: int64, dense; no subject is on two sides of the split.
      moment_n: int64 seconds, when the case is asked about; 0 where there is no time.
      split_n: int8.
      first_n, end_n: int64, its events are ``[first, end)`` of ``events``.
      text_nk: int64, its texts among ``texts``, newest first; -1 = none.
      texts: distinct texts.
      category_nc: int32 index into ``categories[c]``; -1 = missing.
      categories: column -> distinct names.
      number_nf: float64, NaN = missing.
      numbers: names of the numbers.
      targets: answers.
      truth_n: float64, best possible probability of yes, where the shop is built in;
        else NaN.
      events: of all subjects; None where there are none.
      facts: what was read and left out, for people; plain JSON values.
    """

    names: tuple[str, ...]
    subject_n: np.ndarray
    moment_n: np.ndarray
    split_n: np.ndarray
    first_n: np.ndarray
    end_n: np.ndarray
    text_nk: np.ndarray
    texts: tuple[str, ...]
    category_nc: np.ndarray
    categories: dict[str, tuple[str, ...]]
    number_nf: np.ndarray
    numbers: tuple[str, ...]
    targets: Targets
    truth_n: np.ndarray
    events: Events | None
    facts: dict[str, Any]

    def rows(self, split: int) -> np.ndarray:
        """Cases of a split."""
        return np.flatnonzero(self.split_n == split)

    def fingerprint(self) -> str:
        """Changes where any answer, source or side of the split changes."""
        digest = hashlib.sha256()
        arrays, strings = _apart(self)
        for name in sorted(arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        digest.update(json.dumps(strings, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Writes ``cases.npz`` and ``cases.json``, which :func:`load_cases` reads."""
        arrays, strings = _apart(self)
        np.savez_compressed(folder / "cases.npz", allow_pickle=False, **arrays)
        text = json.dumps(strings | {"facts": self.facts}, ensure_ascii=False)
        (folder / "cases.json").write_text(text, "utf-8")


def _apart(cases: Cases) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays, and strings, of cases and their events."""
    groups: list[tuple[str, Any]] = [("", cases), ("targets.", cases.targets)]
    if cases.events is not None:
        groups.append(("events.", cases.events))
    arrays, strings = {}, {}
    for prefix, group in groups:
        for name, value in group._asdict().items():
            if isinstance(value, np.ndarray):
                arrays[prefix + name] = value
            elif name not in ("targets", "events", "facts"):
                strings[prefix + name] = value
    return arrays, strings


def load_cases(folder: Path) -> Cases:
    """What :meth:`Cases.save` wrote.

    Raises:
      InputError: it is not there.
    """
    try:
        with np.load(folder / "cases.npz") as stored:
            arrays = dict(stored)
        strings = json.loads((folder / "cases.json").read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            "The run's copy of its cases is missing.",
            where=str(folder),
            fix="Start its training command again, which writes it anew.",
        ) from None
    facts = strings.pop("facts")
    categories = strings.pop("categories")
    tuples = {name: tuple(value) for name, value in strings.items()}

    def part(prefix: str) -> dict[str, Any]:
        both = arrays | tuples
        size = len(prefix)
        return {k[size:]: v for k, v in both.items() if k.startswith(prefix)}

    own: dict[str, Any] = {k: v for k, v in (arrays | tuples).items() if "." not in k}
    return Cases(
        **own,
        categories={name: tuple(values) for name, values in categories.items()},
        targets=Targets(**part("targets.")),
        events=Events(**part("events.")) if "events.kinds" in tuples else None,
        facts=facts,
    )
