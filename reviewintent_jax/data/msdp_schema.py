"""What a table of cases, a table of events and their targets are: a declaration.

The parts are checked by themselves in :mod:`~reviewintent_jax.data.msdp_specs`; here it
is checked that they fit together.
"""

import dataclasses

from reviewintent_jax.data.msdp_specs import (
    DAY,
    FROM_EVENTS,
    CaseKind,
    CaseSpec,
    CaseSplitSpec,
    CutSpec,
    EventSpec,
    TargetSpec,
)
from reviewintent_jax.schema import InputError


@dataclasses.dataclass(frozen=True)
class MsdpSchema:
    """All of the declaration, checked as a whole.

    Attributes:
      data, events, cuts, targets, split: its parts.
    """

    data: CaseSpec
    events: EventSpec
    cuts: CutSpec
    targets: TargetSpec
    split: CaseSplitSpec

    def __post_init__(self) -> None:
        self._check_parts()
        self._check_targets()
        self._check_cuts()

    @property
    def has_events(self) -> bool:
        """Whether there is a table of events."""
        return bool(self.events.path.strip()) or self.data.kind is CaseKind.MEMBERS

    @property
    def has_text(self) -> bool:
        """Whether anything is a text; without, no encoder is needed."""
        return bool(self.data.texts or (self.has_events and self.events.texts))

    @property
    def sources(self) -> tuple[bool, bool, bool]:
        """Which of text, behaviour and structured there are."""
        seasons = self.data.seasons and bool(self.data.time or self.cuts.dates)
        structured = self.data.categories or self.data.numbers or self.data.dates
        added = seasons or (self.has_events and self.events.summaries)
        return self.has_text, self.has_events, bool(structured) or added

    def _check_parts(self) -> None:
        if not self.data.there and not self.has_events:
            raise InputError(
                "Neither a table of cases nor a table of events is named.",
                where="fields data.path, events.path",
                fix="Set --config.data.path=FILE or --config.events.path=FILE.",
            )
        for name in ("subject", "time") if self.has_events else ():
            if not getattr(self.events, name):
                raise InputError(
                    f"The column of the events' {name} is not named.",
                    where=f"field events.{name}",
                    fix=f"Set --config.events.{name}=COLUMN.",
                )
        if not self.data.there and self.data.features:
            raise InputError(
                f"Column {self.data.features[0]!r} is listed as a feature of the "
                "cases, but there is no table of cases.",
                where="field data.path",
            )
        if self.data.there and self.has_events and not self.data.subject:
            raise InputError(
                "Cases and events cannot be joined: the column of the cases' subject "
                "is not named.",
                where="field data.subject",
                fix="Set --config.data.subject=COLUMN.",
            )
        if not any(self.sources):
            raise InputError("No source is declared: no text, no event, no column.")

    def _check_targets(self) -> None:
        features = {c: f for f, c in self.data.named_columns if c in self.data.features}
        for field, column in self.targets.named_columns:
            if column in features:
                raise InputError(
                    f"Column {column!r} is the target {field} and is listed in "
                    f"{features[column]} as well: the model would read its answer.",
                    where=f"fields {field}, {features[column]}",
                    fix=f"Leave it out of {features[column]}.",
                )
        if self.targets.named_columns and not self.data.there:
            field, column = self.targets.named_columns[0]
            raise InputError(
                f"Column {column!r} ({field}) belongs to the table of cases, and there "
                "is none.",
                where="field data.path",
            )
        if self.targets.of_events and not (self.has_events and self.cuts.dates):
            raise InputError(
                "Targets from events need events and a cut date.",
                where="fields events.path, cuts.dates",
                fix="Example: --config.cuts.dates=\"('2011-06-01',)\".",
            )
        if self.targets.time not in ("", FROM_EVENTS) and not self.data.time:
            raise InputError(
                "Days to a date are counted from data.time, which is not named.",
                where="field data.time",
            )
        if self.targets.value == FROM_EVENTS and not self.events.value:
            raise InputError(
                "The value of the next event is asked, but events.value is not named.",
                where="field events.value",
            )

    def _check_cuts(self) -> None:
        if self.cuts.dates and not self.has_events:
            raise InputError(
                "There are cut dates, but no events to cut.",
                where="field cuts.dates",
                fix="Name data.time where each row has its own moment.",
            )
        if self.has_events and not self.cuts.dates and not self.data.time:
            raise InputError(
                "Nothing says which events come before a case: no cut date, no time.",
                where="fields cuts.dates, data.time",
            )
        if self.cuts.dates and self.data.time:
            raise InputError(
                "Cases have either a time of their own or cut dates, not both.",
                where="fields cuts.dates, data.time",
            )
        *earlier, last = self.cuts.seconds or (0,)
        span = self.targets.horizon_days * DAY
        for date, second in zip(self.cuts.dates, earlier, strict=False):
            if second + span > last:
                raise InputError(
                    f"The {self.targets.horizon_days} days after the cut {date} end "
                    f"after the test cut {self.cuts.dates[-1]}: training would know "
                    "what comes after it.",
                    where="field cuts.dates",
                    fix="Give an earlier date, or a shorter targets.horizon_days.",
                )
