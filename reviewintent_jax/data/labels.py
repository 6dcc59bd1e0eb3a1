"""Stage 4, labelled: raw label strings -> classes 0, 1, ... (or a reason for none).

``fit_labels`` looks once at how often each raw label occurs, decides what kind of label
it is and returns a ``LabelMap``; the map then encodes row by row, here, in evaluation
and in prediction alike.
"""

import dataclasses
import enum
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reviewintent_jax.data import stars as star_scale
from reviewintent_jax.data.aliases import fold, merged, parse_aliases, translated
from reviewintent_jax.data.label_words import few, shown
from reviewintent_jax.data.stars import on_scale, parse_stars, star_class, star_reason
from reviewintent_jax.schema import NO_LABEL, InputError

MIN_ROWS_PER_CLASS = 2
MAX_GUESSED_CLASSES = 50
MAX_SHARE_OUTSIDE = 0.5

_SENTIMENTS = ("negative", "neutral", "positive")
_TRUTH = {
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), 0),
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), 1),
}
_FLAGS = {"true": "1", "false": "0"}


class LabelKind(enum.StrEnum):
    """What the label column holds.

    ``AUTO`` decides: all of 0/1, true/false, yes/no is ``BINARY``; all numbers from
    1 to 5 is ``STARS`` (a stray true or false among them is set aside); up to 50
    different strings is ``NAMES``; anything else is an error, because guessing would
    train on nonsense.
    """

    AUTO = "auto"
    STARS = "stars"
    BINARY = "binary"
    NAMES = "names"


@dataclasses.dataclass(frozen=True)
class LabelSpec:
    """How labels become classes.

    A class of stars reaches from the lowest to the highest star listed for it, so that
    with negative (1, 2) and positive (4, 5) the label 4.5 is positive and 3, 2.5 and
    3.5 are left out. Lists may hold any numbers, so ten-star scales are written as
    they are: negative (1, 4), neutral (5, 6), positive (7, 10).

    Attributes:
      kind: what the column holds.
      negative_stars: stars of the class ``negative``; empty for no such class.
      neutral_stars: stars of the class ``neutral``; empty for no such class.
      positive_stars: stars of the class ``positive``; empty for no such class.
      classes: names of the classes, in order. NAMES: the labels to keep, others are
        left out; empty takes all that occur, sorted. BINARY: names of 0 and 1; empty
        for ``negative``, ``positive``. STARS: new names for the non-empty star lists.
      aliases: other spellings, each ``"written -> label"``, such as ``"PI -> yes"``;
        they are read as that label before anything else is decided. Spellings that
        differ by case or space alone need none.
    """

    kind: LabelKind
    negative_stars: tuple[float, ...]
    neutral_stars: tuple[float, ...]
    positive_stars: tuple[float, ...]
    classes: tuple[str, ...]
    aliases: tuple[str, ...]

    def __post_init__(self):
        parse_aliases(self.aliases)
        folded = [fold(name) for name in self.classes]
        if "" in folded or len(set(folded)) < len(folded):
            raise InputError(
                f"The class names {list(self.classes)} are empty or repeat themselves.",
                where="field labels.classes",
            )
        if self.kind is LabelKind.BINARY and len(self.classes) not in (0, 2):
            raise InputError(
                f"A binary label has two classes, not {len(self.classes)}.",
                where="field labels.classes",
                fix="Name the class of 0 first, then the class of 1.",
            )
        ranges = [span for _, span in _star_ranges(self)]
        if any(a[1] >= b[0] for a, b in itertools.pairwise(ranges)):
            raise InputError(
                "The star lists overlap, or are not in the order negative, neutral, "
                "positive.",
                where="fields labels.negative_stars, neutral_stars, positive_stars",
            )


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """The fitted map from raw labels to classes; what ``model.json`` keeps of labels.

    Example: ``{"1": 2, "3": 9, "5": 4}`` rows with stars (1, 2) / () / (4, 5)::

        classes  ("negative", "positive")
        index    {"1": 0, "5": 1}
        left_out {"3": "stars belong to no class"}

    Attributes:
      kind: STARS, BINARY or NAMES, never AUTO.
      classes: class names; a class's number is its position.
      index: raw label, as it was written -> class number.
      left_out: raw label -> why it has no class.
      rows: raw label -> rows that carried it when the map was fitted.
      spans: STARS only: lowest and highest star of every class; else empty.
    """

    kind: LabelKind
    classes: tuple[str, ...]
    index: Mapping[str, int]
    left_out: Mapping[str, str]
    rows: Mapping[str, int]
    spans: tuple[tuple[float, float], ...]

    @classmethod
    def empty(cls) -> "LabelMap":
        """The map of data without labels: no classes."""
        return cls(LabelKind.NAMES, (), {}, {}, {}, ())

    @functools.cached_property
    def _folded(self) -> dict[str, int]:
        return {fold(raw): number for raw, number in self.index.items()}

    def encode(self, raw: str) -> int:
        """Class number of ``raw``; ``NO_LABEL`` where ``reason`` says why not."""
        known = self.index.get(raw)
        if known is not None:
            return known
        folded = fold(raw)
        if not folded or raw in self.left_out:
            return NO_LABEL
        if self.kind is LabelKind.STARS:
            return star_class(parse_stars(folded), self.spans)
        if self.kind is LabelKind.BINARY:
            return _TRUTH.get(folded, NO_LABEL)
        flag = self._folded.get(_FLAGS.get(folded, ""), NO_LABEL)
        return self._folded.get(folded, flag)

    def reason(self, raw: str) -> str:
        """Why ``raw`` has no class, the same for many labels; empty when it has one."""
        if self.encode(raw) != NO_LABEL:
            return ""
        if raw in self.left_out:
            return self.left_out[raw]
        if not raw.strip():
            return "no label"
        if self.kind is LabelKind.STARS:
            return star_reason(parse_stars(fold(raw)), self.spans)
        known = "0 or 1, true or false, yes or no"
        if self.kind is LabelKind.NAMES:
            known = "one of " + ", ".join(self.classes)
        return f"label is not {known}"

    def describe(self) -> str:
        """One line for people: what became what, and what was left out.

        Example: ``stars 1, 2 -> negative (5 rows); 4, 5 -> positive (90 rows); 3 left
        out (1,461 rows)``.
        """
        parts = []
        for number, name in enumerate(self.classes):
            raws = [raw for raw, at in self.index.items() if at == number]
            if not raws:
                continue
            rows = sum(self.rows[raw] for raw in raws)
            names = ", ".join(shown(raws))
            arrow = name if names == name else f"{names} -> {name}"
            parts.append(f"{arrow} ({rows:,} rows)")
        if self.left_out:
            rows = sum(self.rows[raw] for raw in self.left_out)
            names = ", ".join(shown(list(self.left_out)))
            parts.append(f"{names} left out ({rows:,} rows)")
        prefix = "stars " if self.kind is LabelKind.STARS else ""
        return prefix + "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The map as plain JSON values."""
        return {
            "kind": str(self.kind),
            "classes": list(self.classes),
            "index": dict(self.index),
            "left_out": dict(self.left_out),
            "rows": dict(self.rows),
            "spans": [list(span) for span in self.spans],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "LabelMap":
        """The inverse of ``to_dict``."""
        return cls(
            kind=LabelKind(stored["kind"]),
            classes=tuple(stored["classes"]),
            index=dict(stored["index"]),
            left_out=dict(stored["left_out"]),
            rows=dict(stored["rows"]),
            spans=tuple((low, high) for low, high in stored["spans"]),
        )


def _in_the_column(raws: Sequence[str]) -> str:
    """Where labels are, as far as counts alone can tell."""
    del raws
    return "the label column"


def fit_labels(
    counts: Mapping[str, int],
    spec: LabelSpec,
    *,
    first: Callable[[Sequence[str]], str] = _in_the_column,
    min_rows: int = MIN_ROWS_PER_CLASS,
) -> LabelMap:
    """Decides what every raw label means.

    Args:
      counts: raw label -> rows that carry it. The empty label (no label) may be there;
        it is nobody's class.
      spec: what the user asked for.
      first: raw labels -> the file and line of the first row that carries one of
        them, for messages.
      min_rows: rows that each of two or more classes must have; 0 = any will do.

    Raises:
      InputError: no labels, one class only, a class of fewer than ``min_rows`` rows,
        labels that look like free text, or labels that do not fit ``spec.kind``.
    """
    rows = {raw: int(n) for raw, n in counts.items() if raw.strip() and n > 0}
    if not rows:
        raise InputError(
            "No row has a label.",
            where="the label column",
            fix="Check data.label: the name of the column that holds the answer.",
        )
    means = translated(rows, parse_aliases(spec.aliases))
    read = merged(rows, means)
    kind = _guess(read, first) if spec.kind is LabelKind.AUTO else spec.kind
    fits = {"stars": _fit_stars, "binary": _fit_binary, "names": _fit_names}
    fitted = fits[kind](read, spec)
    if min_rows:
        _check_classes(fitted, min_rows)
    return _as_written(fitted, rows, means)


def _as_written(
    fitted: LabelMap, rows: Mapping[str, int], means: Mapping[str, str]
) -> LabelMap:
    """The map of the spellings that rows carry, where aliases were read as labels."""
    index, left = fitted.index, fitted.left_out
    return dataclasses.replace(
        fitted,
        index={**index, **{r: index[m] for r, m in means.items() if m in index}},
        left_out={**left, **{r: left[m] for r, m in means.items() if m in left}},
        rows=dict.fromkeys(means.values(), 0) | dict(rows),
    )


def _guess(rows: Mapping[str, int], first: Callable[[Sequence[str]], str]) -> LabelKind:
    """The kind that every label fits, or an InputError."""
    folded = {fold(raw) for raw in rows}
    if folded <= _TRUTH.keys():
        return LabelKind.BINARY
    stars = {raw: parse_stars(fold(raw)) for raw in rows if fold(raw) not in _FLAGS}
    if all(value is not None for value in stars.values()):
        outside = [raw for raw, v in stars.items() if v is not None and not 1 <= v <= 5]
        if not outside:
            return LabelKind.STARS
        strays = sum(rows[raw] for raw in outside)
        raise InputError(
            f"The labels are numbers, but not all lie in 1 to 5: {few(outside)} "
            f"({strays:,} of {sum(rows.values()):,} labelled rows).",
            where=first(outside),
            fix="If they are strays among 1 to 5 stars, --config.labels.kind=stars "
            "sets just such rows aside. If the scale is another one, name its stars as "
            "well: --config.labels.negative_stars='(1.0, 4.0)' "
            "--config.labels.positive_stars='(7.0, 10.0)'. If every number is a class "
            "of its own: --config.labels.kind=names.",
        )
    star_scale.refuse_strays(rows, stars, first)
    if len(folded) <= MAX_GUESSED_CLASSES:
        return LabelKind.NAMES
    raise InputError(
        f"The label column holds {len(folded):,} different values, such as "
        f"{few(rows)}. It looks like free text, or an id.",
        where="the label column",
        fix="Check data.label, or list the names to keep in labels.classes with "
        "labels.kind=names.",
    )


def _fit_stars(rows: Mapping[str, int], spec: LabelSpec) -> LabelMap:
    """Classes are the non-empty star lists."""
    named = _star_ranges(spec)
    classes = spec.classes or tuple(name for name, _ in named)
    spans = tuple(span for _, span in named)
    if len(classes) != len(spans):
        raise InputError(
            f"There are {len(spans)} star lists, but {len(classes)} class names.",
            where="field labels.classes",
            fix="Leave it empty, or give one name for each non-empty list of stars.",
        )
    values = {raw: parse_stars(raw) for raw in rows}
    index = {raw: star_class(value, spans) for raw, value in values.items()}
    index = {raw: number for raw, number in index.items() if number != NO_LABEL}
    left = {r: star_reason(v, spans) for r, v in values.items() if r not in index}
    strange = [r for r in left if not on_scale(values[r], spans)]
    if sum(rows[raw] for raw in strange) > MAX_SHARE_OUTSIDE * sum(rows.values()):
        raise InputError(
            f"Most labels are not within the stars of the config: {few(strange)}.",
            where="the label column",
            fix="Set labels.negative_stars, neutral_stars and positive_stars to the "
            "scale of the data, or labels.kind=names.",
        )
    by_stars = dict(sorted(index.items(), key=lambda item: values[item[0]] or 0.0))
    return LabelMap(LabelKind.STARS, classes, by_stars, left, rows, spans)


def _fit_binary(rows: Mapping[str, int], spec: LabelSpec) -> LabelMap:
    """Two classes, 0 and 1."""
    if len(spec.classes) not in (0, 2):
        raise InputError(
            f"The labels are 0 and 1, but {len(spec.classes)} classes are named.",
            where="field labels.classes",
        )
    wrong = [raw for raw in rows if fold(raw) not in _TRUTH]
    if wrong:
        raise InputError(
            f"These labels are not 0 or 1, true or false, yes or no: {few(wrong)}.",
            where="the label column",
            fix="Use labels.kind=names, or stars, or correct the rows.",
        )
    index = {raw: _TRUTH[fold(raw)] for raw in sorted(rows)}
    classes = spec.classes or ("negative", "positive")
    return LabelMap(LabelKind.BINARY, classes, index, {}, rows, ())


def _fit_names(rows: Mapping[str, int], spec: LabelSpec) -> LabelMap:
    """Every name a class; spellings that differ by case or space are one name."""
    spelt: dict[str, list[str]] = {}
    for raw in sorted(rows, key=lambda raw: (-rows[raw], raw)):
        spelt.setdefault(fold(raw), []).append(raw)
    names = {fold(name): name for name in spec.classes}
    names = names or {f: " ".join(spelt[f][0].split()) for f in sorted(spelt)}
    # A flag is its word here; a class may be named by its number instead.
    for word in spelt.keys() & _FLAGS.keys() - names.keys():
        if _FLAGS[word] in names:
            spelt.setdefault(_FLAGS[word], []).extend(spelt.pop(word))
    absent = [name for folded, name in names.items() if folded not in spelt]
    if absent:
        raise InputError(
            f"No row carries the label {few(absent)}; there are {few(rows)}.",
            where="field labels.classes",
        )
    numbers = {folded: number for number, folded in enumerate(names)}
    index = {raw: numbers[f] for f in names for raw in spelt[f]}
    why = "label is not one of " + ", ".join(names.values())
    left = {raw: why for raw in rows if raw not in index}
    return LabelMap(LabelKind.NAMES, tuple(names.values()), index, left, rows, ())


def _check_classes(fitted: LabelMap, min_rows: int) -> None:
    """At least two classes, each with enough rows to learn and to test."""
    rows = [0] * len(fitted.classes)
    for raw, number in fitted.index.items():
        rows[number] += fitted.rows[raw]
    there = [(c, n) for c, n in zip(fitted.classes, rows, strict=True) if n]
    if len(there) == 1:
        raise InputError(
            f"All {there[0][1]:,} labelled rows are {there[0][0]!r}: with one class "
            f"there is nothing to learn. Labels found: {fitted.describe()}.",
            where="the label column",
            fix="Check data.label and labels.kind, or bring rows of another class.",
        )
    for name, n in zip(fitted.classes, rows, strict=True):
        if n < min_rows:
            raise InputError(
                f"The class {name!r} has {n} row(s); every class needs "
                f"{min_rows}, one to learn from and one to test on.",
                where="the label column",
                fix="Bring more rows, or leave the class out with labels.classes.",
            )


def _star_ranges(spec: LabelSpec) -> list[tuple[str, tuple[float, float]]]:
    """Name, lowest and highest star of every class that has stars."""
    lists = (spec.negative_stars, spec.neutral_stars, spec.positive_stars)
    named = zip(_SENTIMENTS, lists, strict=True)
    return [(name, (min(stars), max(stars))) for name, stars in named if stars]
