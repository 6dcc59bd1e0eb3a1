"""The parts of a declaration: cases, events, cuts, targets and split.

Nothing about a data set is coded: the config names which columns are texts, categories,
numbers, dates and events, and which hold the answers. A *case* is what is asked about:
a row of the table of cases, or a subject of the events at a cut date.
"""

import dataclasses
import enum
from typing import Any

import numpy as np

from reviewintent_jax.data.times import DateOrder, utc_seconds
from reviewintent_jax.schema import InputError, check_seed

DAY = 86_400
FROM_EVENTS = "events"
"""In the place of a target's column: the target is made from the events after a cut."""

SOURCES = ("text", "behaviour", "structured")
"""Names of the sources, in the order of the fusion's axis."""


class CaseKind(enum.StrEnum):
    """Where the table of cases comes from."""

    TABLE = "table"  # files of yours
    MEMBERS = "members"  # the built-in shop's members, simulated: what is true is known


@dataclasses.dataclass(frozen=True)
class CaseSpec:
    """The table of cases, and what its columns are. Empty = there is no such column.

    Attributes:
      kind: files, or the built-in members.
      path: a file, a glob, or several joined by commas; empty = the subjects of the
        events are the cases, and nothing structured is known of them but their events.
      header: names of the columns of a text file without a header; empty = it has one.
      subject: whose row it is; joins rows to events and never crosses splits.
      time: when the row is asked about; its events come before.
      date_order: what comes first in dates such as 05/06/2014.
      texts: columns that are read as one text, in this order.
      categories: columns of names or codes.
      numbers: columns of numbers.
      log_numbers: those of ``numbers`` whose log(1 + x) is read; none below 0.
      dates: columns of dates; read as days from ``time`` (or the cut). None may lie
        after it, for then it was not known yet,
      dates_ahead: save those of ``dates`` that were set before, such as a promise.
      seasons: whether the month and the weekday of ``time`` (or the cut) are read.
      shop_rows, shop_seed: of the built-in members.
    """

    kind: CaseKind
    path: str
    header: tuple[str, ...]
    subject: str
    time: str
    date_order: DateOrder
    texts: tuple[str, ...]
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    log_numbers: tuple[str, ...]
    dates: tuple[str, ...]
    dates_ahead: tuple[str, ...]
    seasons: bool
    shop_rows: int
    shop_seed: int

    def __post_init__(self) -> None:
        check_seed(self.shop_seed, "data.shop_seed")
        twice = [name for name in self.features if self.features.count(name) > 1]
        if twice:
            raise InputError(
                f"Column {twice[0]!r} is listed twice among the features.",
                where="fields data.texts, data.categories, data.numbers, data.dates",
                fix="Let every column be one thing.",
            )
        for part, whole in (("log_numbers", "numbers"), ("dates_ahead", "dates")):
            for name in getattr(self, part):
                if name not in getattr(self, whole):
                    raise InputError(
                        f"Column {name!r} is in data.{part} but not in data.{whole}.",
                        where=f"field data.{part}",
                    )
        if self.dates and not self.time and not self.subject:
            raise InputError(
                "Dates are read as days from a moment, and no moment is named.",
                where="field data.dates",
                fix="Set --config.data.time=COLUMN, or cuts.dates with events.",
            )

    @property
    def there(self) -> bool:
        """Whether there is a table of cases."""
        return bool(self.path.strip()) or self.kind is CaseKind.MEMBERS

    @property
    def features(self) -> tuple[str, ...]:
        """All columns that the model reads."""
        return (*self.texts, *self.categories, *self.numbers, *self.dates)

    @property
    def named_columns(self) -> list[tuple[str, str]]:
        """(field of the config, column) of everything named."""
        groups = ("texts", "categories", "numbers", "dates")
        named = [(f"data.{g}", c) for g in groups for c in getattr(self, g)]
        single = [(f"data.{g}", getattr(self, g)) for g in ("subject", "time")]
        return named + [pair for pair in single if pair[1]]


@dataclasses.dataclass(frozen=True)
class EventSpec:
    """The table of events. Empty = there is no such column.

    Attributes:
      path: as that of the cases; empty = no events (with ``members``: their own).
      header: as that of the cases.
      subject: whose event; never empty where there are events.
      time: when; never empty where there are events.
      order: lines of one subject with the same value here are one event: their values
        are summed, their item is that of the largest value.
      kind: what happened, a name. Without it an event of negative value is ``return``,
        any other ``purchase``.
      targets: kinds that the targets are made from; the others are only read.
      item: what it was about.
      value: a number.
      quantity: a number by which the value is multiplied.
      texts: columns that are read as one text, in this order.
      recent: newest events that are read, 1 or more.
      recent_texts: newest texts of events that are read, 1 or more.
      max_items: commonest items of training that are told apart, 0 or more.
      summaries: whether what the events add up to (recency, frequency, span, mean
        value) stands among the structured numbers.
    """

    path: str
    header: tuple[str, ...]
    subject: str
    time: str
    order: str
    kind: str
    targets: tuple[str, ...]
    item: str
    value: str
    quantity: str
    texts: tuple[str, ...]
    recent: int
    recent_texts: int
    max_items: int
    summaries: bool

    def __post_init__(self) -> None:
        for name in ("recent", "recent_texts"):
            if getattr(self, name) < 1:
                raise InputError(f"events.{name} must be 1 or more.")
        if self.max_items < 0:
            raise InputError("events.max_items must not be negative.")

    @property
    def named_columns(self) -> list[tuple[str, str]]:
        """(field of the config, column) of everything named."""
        fields = ("subject", "time", "order", "kind", "item", "value", "quantity")
        named = [(f"events.{f}", getattr(self, f)) for f in fields if getattr(self, f)]
        return named + [("events.texts", column) for column in self.texts]


@dataclasses.dataclass(frozen=True)
class CutSpec:
    """When subjects are asked about.

    Attributes:
      dates: ISO dates, ascending; empty where each row of the cases has its own time,
        or none. Events strictly before midnight UTC of the date are read. With one
        date, all splits are cut there; with several, the last is that of the test
        split, and training and validation are cut at those before, whose horizons must
        have ended by then: what happens after the last cut trains nothing.
      known_until: ISO date up to which events are known, and the dates that rows with
        a time of their own wait for; empty = the newest event, and as long as the
        intervals of such rows go. Later events are set aside.
    """

    dates: tuple[str, ...]
    known_until: str

    def __post_init__(self) -> None:
        seconds = self.seconds
        if list(seconds) != sorted(set(seconds)):
            raise InputError(
                f"The cut dates {', '.join(self.dates)} do not ascend.",
                where="field cuts.dates",
            )
        if self.known_until:
            _date(self.known_until, "cuts.known_until")

    @property
    def seconds(self) -> tuple[int, ...]:
        """The cuts as seconds since 1970 UTC."""
        return tuple(_date(date, "cuts.dates") for date in self.dates)

    @property
    def until(self) -> int | None:
        """End of what is known, in seconds since 1970 UTC; None = the newest event."""
        return _date(self.known_until, "") if self.known_until else None


def _date(text: str, field: str) -> int:
    try:
        return utc_seconds(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no date.", where=f"field {field}", fix="Write 2011-06-01."
        ) from None


@dataclasses.dataclass(frozen=True)
class TargetSpec:
    """What is asked: whether, for how much, and when. Empty = not asked.

    Attributes:
      horizon_days: "buys" means within so many days of the cut, 1 or more.
      intent: ``events`` = the subject's next event comes within the horizon; else a
        column of the cases.
      positive: values of that column that count as yes; the other values count as no.
      value: ``events`` = the value of that next event; else a column of numbers.
      time: ``events`` = days to that next event; else a column with the date of what is
        waited for, counted from ``data.time``.
      followed_until: column with the date up to which a row was followed; a row whose
        event has not come by then is censored there. Empty = all rows were followed to
        ``cuts.known_until``; without that too, to the last interval's end.
      interval_days: ends of the intervals of the hazard, ascending, in days; what
        comes later than the last counts as not having come by then.
    """

    horizon_days: int
    intent: str
    positive: tuple[str, ...]
    value: str
    time: str
    followed_until: str
    interval_days: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.horizon_days < 1:
            raise InputError("targets.horizon_days must be 1 or more.")
        if not (self.intent or self.value or self.time):
            raise InputError(
                "Nothing is asked.",
                where="fields targets.intent, targets.value, targets.time",
                fix="Name a column, or 'events', for one of them at least.",
            )
        ends = self.interval_days
        if self.time and (not ends or min(ends) <= 0 or list(ends) != sorted({*ends})):
            raise InputError(
                f"The intervals end at {ends}, which must ascend from above 0.",
                where="field targets.interval_days",
                fix="Example: (7, 14, 30, 60, 90).",
            )
        if self.followed_until and self.time in ("", FROM_EVENTS):
            raise InputError(
                f"Column {self.followed_until!r} says until when a row was followed, "
                "but no column of a date is waited for.",
                where="fields targets.followed_until, targets.time",
                fix="Name that column in targets.time, or leave followed_until empty.",
            )
        if self.intent not in ("", FROM_EVENTS) and not self.positive:
            raise InputError(
                f"Which values of column {self.intent!r} count as yes is not said.",
                where="field targets.positive",
                fix="Example: --config.targets.positive=\"('4', '5')\".",
            )

    @property
    def of_events(self) -> bool:
        """Whether any target is made from events."""
        return FROM_EVENTS in (self.intent, self.value, self.time)

    @property
    def named_columns(self) -> list[tuple[str, str]]:
        """(field of the config, column of the cases) of the targets."""
        fields = ("intent", "value", "time", "followed_until")
        pairs = [(f"targets.{f}", getattr(self, f)) for f in fields]
        return [pair for pair in pairs if pair[1] not in ("", FROM_EVENTS)]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Which of intent, value and time are asked."""
        return tuple(t for t in ("intent", "value", "time") if getattr(self, t))


@dataclasses.dataclass(frozen=True)
class CaseSplitSpec:
    """Which subjects are tested on; each lies on one side alone.

    Attributes:
      test_fraction: of the subjects, above 0 and below 1.
      validation_fraction: of those that are not tested, above 0 and below 1.
      seed: of the draw, from 0.
    """

    test_fraction: float
    validation_fraction: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("test_fraction", "validation_fraction"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise InputError(
                    f"{name} is {getattr(self, name)}.",
                    where=f"field split.{name}",
                    fix="Give a share above 0 and below 1.",
                )
        check_seed(self.seed, "split.seed")


def moment_text(seconds: Any) -> str:
    """A moment as an ISO date, for people."""
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
