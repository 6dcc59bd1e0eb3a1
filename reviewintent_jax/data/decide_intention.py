"""Stages 4 and 5 where intention is asked for, with sentiment beside it or alone.

In: :class:`~reviewintent_jax.data.ingest.Taken` with its events. Out:
:class:`~reviewintent_jax.data.prepared.Decided`.

Where reviews form histories, a review without a label stays if it is part of one; it is
counted, not set aside. Where each review is alone (a stated intention without a
subject), a review without any label is set aside, and so are copies, as for sentiment.
"""

from collections import Counter
from typing import Any

import numpy as np

from reviewintent_jax.data.bazaar_truth import HORIZON_DAYS, WINDOW
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.decide_sentiment import (
    COPY,
    TORN,
    count_near,
    encode_labels,
    exempt_reviews,
    find_copies,
    split_reviews,
)
from reviewintent_jax.data.duplicates import Duplicates
from reviewintent_jax.data.events import Events
from reviewintent_jax.data.histories import (
    Histories,
    build_histories,
    describe_times,
    iso_date,
)
from reviewintent_jax.data.history_splits import check_sides, split_histories
from reviewintent_jax.data.ingest import Taken
from reviewintent_jax.data.intention import (
    Intention,
    IntentionKind,
    IntentionSpec,
    IntentReason,
    find_intention,
)
from reviewintent_jax.data.labels import LabelMap, fit_labels
from reviewintent_jax.data.prepared import DataSpec, Decided
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.splits import SET_ASIDE, SPLIT_NAMES, TEST, Reason
from reviewintent_jax.schema import NO_LABEL, InputError


def decide_intention(
    taken: Taken, duplicates: Duplicates, spec: DataSpec, log: RejectionLog
) -> Decided:
    """Classes, answers, windows and splits of a run that asks for intention.

    Raises:
      InputError: labels that do not fit, or a side of the split without answers or
        with answers of one class alone.
    """
    labels = LabelMap.empty()
    if spec.source.label:
        labels = fit_labels(taken.label_counts(), spec.labels, first=taken.first_place)
    events = _events(taken)
    stated = _fit_stated(events, spec.intention)
    histories, intention = _answers(taken, spec.intention, stated)
    decided = Decided(
        label_n=encode_labels(taken, labels),
        split_n=np.full(len(taken.row_n), SET_ASIDE, np.int8),
        truth_intent_n=_truth(events, spec),
        labels=labels,
        histories=histories,
        intention=intention,
        intention_labels=stated,
        summary={},
    )
    if spec.intention.over_time:
        return _over_time(decided, taken, duplicates, spec, log)
    return _each_alone(decided, taken, duplicates, spec, log)


def decide_for_scoring(
    taken: Taken,
    spec: DataSpec,
    labels: LabelMap,
    stated: LabelMap | None,
    log: RejectionLog,
) -> Decided:
    """The same of other data that are scored: all is tested, nothing is removed.

    Args:
      taken: the reviews.
      spec: of the data.
      labels: of the model; without classes where it knows intention alone.
      stated: how the model's stated intentions became classes; None for other kinds.
      log: reviews that carry no label and are in no history go there.
    """
    label_n = encode_labels(taken, labels)
    histories, intention = _answers(taken, spec.intention, stated)
    split_n = np.full(len(label_n), TEST, np.int8)
    if not spec.intention.over_time:
        none = (label_n == NO_LABEL) & (intention.label_n == NO_LABEL)
        for i in np.flatnonzero(none).tolist():
            taken.refuse(i, log, field=spec.intention.label, reason="no label")
        split_n[none] = SET_ASIDE
    truth = _truth(_events(taken), spec)
    decided = Decided(label_n, split_n, truth, labels, histories, intention, stated, {})
    return decided._replace(summary=_summary(decided, spec.intention, histories))


def _events(taken: Taken) -> Events:
    if taken.events is None:
        raise ValueError("the rows were read without their events")
    return taken.events


def _parts(decided: Decided) -> tuple[Histories, Intention]:
    if decided.histories is None or decided.intention is None:
        raise ValueError("nothing was decided on intention")
    return decided.histories, decided.intention


def _fit_stated(events: Events, spec: IntentionSpec) -> LabelMap | None:
    """How stated intentions become classes."""
    if spec.kind is not IntentionKind.STATED:
        return None
    try:
        return fit_labels(events.stated_counts(), spec.labels)
    except InputError as error:
        fix = error.fix.replace("data.label", "intention.label")
        raise InputError(
            error.what,
            where=f"column {spec.label!r}, the stated intention (intention.label)",
            fix=fix.replace("labels.", "intention.labels."),
        ) from error


def _answers(
    taken: Taken, spec: IntentionSpec, stated: LabelMap | None
) -> tuple[Histories, Intention]:
    """Histories of all reviews, and what follows each."""
    events = _events(taken)
    histories = build_histories(
        spec,
        subject_n=events.subject_n,
        time_n=taken.time_n,
        stars_n=events.stars_n,
        helpful_n=events.helpful_n,
        words_n=events.words_n,
    )
    stated_n, classes = np.full(len(taken.row_n), NO_LABEL, np.int32), ()
    if stated is not None:
        class_of = np.array([stated.encode(raw) for raw in events.stated], np.int32)
        stated_n, classes = class_of[events.stated_n], stated.classes
    intention = find_intention(
        spec,
        order_n=histories.order_n,
        subject_n=histories.subject_n,
        time_n=histories.time_n,
        stars_n=events.stars_n,
        stated_n=stated_n,
        stated_classes=classes,
    )
    return histories, intention


def _truth(events: Events, spec: DataSpec) -> np.ndarray:
    """The shop's best possible answers, where its question is the one that is asked."""
    asked = spec.intention
    same = (
        spec.source.kind is SourceKind.SHOP
        and asked.kind is IntentionKind.REPURCHASE
        and asked.subject == "user_id"
        and asked.horizon_days == HORIZON_DAYS
        and asked.window <= WINDOW
    )
    return events.truth_n if same else np.full_like(events.truth_n, np.nan)


def _over_time(
    decided: Decided,
    taken: Taken,
    duplicates: Duplicates,
    spec: DataSpec,
    log: RejectionLog,
) -> Decided:
    """Histories of subjects: see :mod:`reviewintent_jax.data.history_splits`."""
    labels, label_n = decided.labels, decided.label_n
    before, asked = _parts(decided)
    exempt_n = np.zeros(len(label_n), bool)
    torn_n = find_copies(label_n, duplicates.exact_first_n, exempt_n).torn_n
    splits = split_histories(
        spec.split,
        spec.intention.cut_fraction,
        histories=before,
        intention=asked,
        label_n=np.where(torn_n, NO_LABEL, label_n),
        exact_first_n=duplicates.exact_first_n,
        cluster_n=duplicates.cluster_n,
        short_n=_events(taken).short_n,
        group_n=taken.group_n if spec.source.group else None,
    )
    for i in np.flatnonzero(splits.split_n == SET_ASIDE).tolist():
        taken.refuse(i, log, field="", reason=Reason(splits.reason_n[i]).sentence)
    classes = splits.intention.classes
    answers_n, cut = splits.intention.label_n, splits.cut
    unlabelled = splits.intention.reasons()
    check_sides(splits.split_n, answers_n, classes, "intention", cut, unlabelled)
    if labels.classes:
        check_sides(splits.split_n, splits.label_n, labels.classes, "sentiment", cut)
    decided = decided._replace(
        label_n=splits.label_n,
        split_n=splits.split_n,
        histories=splits.histories,
        intention=splits.intention,
    )
    facts = _summary(decided, spec.intention, before)
    facts["intention"]["cut"] = iso_date(cut)
    near = count_near(duplicates.cluster_n[splits.split_n != SET_ASIDE])
    exact = splits.masked.get(IntentReason.COPY.sentence, 0)
    facts["duplicates"] = {"exact": exact, "torn": int(torn_n.sum()), "near": near}
    kept_n = splits.split_n != SET_ASIDE
    masked = Counter(splits.masked) + _unlabelled(taken, labels, kept_n)
    masked[TORN] = int((torn_n & kept_n).sum())
    facts["masked"] = {why: n for why, n in masked.most_common() if n}
    return decided._replace(summary=facts)


def _unlabelled(taken: Taken, labels: LabelMap, kept_n: np.ndarray) -> Counter[str]:
    """Reviews that stay although their label is no class, by reason."""
    counts: Counter[str] = Counter()
    if labels.classes:
        codes, rows = np.unique(taken.raw_label_n[kept_n], return_counts=True)
        for code, count in zip(codes.tolist(), rows.tolist(), strict=True):
            counts[labels.reason(taken.raw_labels[code])] += count
    del counts[""]
    return counts


def _each_alone(
    decided: Decided,
    taken: Taken,
    duplicates: Duplicates,
    spec: DataSpec,
    log: RejectionLog,
) -> Decided:
    """Reviews without a subject: copies and splits as for sentiment."""
    exempt_n = exempt_reviews(taken, spec)
    first_n = duplicates.exact_first_n
    (whole, asked), labels = _parts(decided), decided.labels
    label_copies = find_copies(decided.label_n, first_n, exempt_n)
    copies = find_copies(asked.label_n, first_n, exempt_n)
    lost_n = label_copies.torn_n | label_copies.again_n
    label_n = np.where(lost_n, NO_LABEL, decided.label_n).astype(np.int32)
    intention = asked.without(copies.torn_n, IntentReason.TORN)
    intention = intention.without(copies.again_n, IntentReason.COPY)
    none_n = (label_n == NO_LABEL) & (intention.label_n == NO_LABEL)
    torn_n = label_copies.torn_n | copies.torn_n
    again_n = label_copies.again_n | copies.again_n
    text = spec.source.text
    for i in np.flatnonzero(none_n).tolist():
        if torn_n[i] or again_n[i]:
            taken.refuse(i, log, field=text, reason=TORN if torn_n[i] else COPY)
        else:
            taken.refuse(i, log, **_why_none(i, taken, decided, spec))
    strata_n = _strata(intention.label_n, none_n, len(intention.classes))
    classes = intention.classes
    split_n = split_reviews(taken, strata_n, duplicates, classes, spec, log)
    check_sides(split_n, intention.label_n, classes, "intention", None)
    label_n = np.where(split_n == SET_ASIDE, NO_LABEL, label_n).astype(np.int32)
    if labels.classes:
        check_sides(split_n, label_n, labels.classes, "sentiment", None)
    gone = split_n == SET_ASIDE
    intention = intention.without(gone, IntentReason.SET_ASIDE)
    histories = _without(whole, gone)
    decided = decided._replace(
        label_n=label_n, split_n=split_n, histories=histories, intention=intention
    )
    facts = _summary(decided, spec.intention, histories)
    near = count_near(duplicates.cluster_n[~none_n])
    exact, torn = int((again_n & none_n).sum()), int((torn_n & none_n).sum())
    facts["duplicates"] = {"exact": exact, "torn": torn, "near": near}
    return decided._replace(summary=facts)


def _why_none(i: int, taken: Taken, decided: Decided, spec: DataSpec) -> dict[str, str]:
    """Field, reason and value of a review that has no label of either kind."""
    stated = decided.intention_labels
    if stated is None:
        reason = IntentReason.NO_STARS.sentence
        return {"field": spec.intention.stars, "reason": reason, "value": ""}
    events = _events(taken)
    raw = events.stated[events.stated_n[i]]
    return {"field": spec.intention.label, "reason": stated.reason(raw), "value": raw}


def _strata(answer_n: np.ndarray, none_n: np.ndarray, classes: int) -> np.ndarray:
    """What a split keeps the shares of: the intention, or its commonest class."""
    held = answer_n[answer_n != NO_LABEL]
    commonest = np.bincount(held, minlength=classes).argmax()
    strata_n = np.where(answer_n == NO_LABEL, commonest, answer_n)
    return np.where(none_n, NO_LABEL, strata_n).astype(np.int32)


def _without(histories: Histories, gone: np.ndarray) -> Histories:
    """Histories in which the reviews that were set aside have no window."""
    window_nw = np.where(gone[:, None], -1, histories.window_nw)
    return histories._replace(window_nw=window_nw)


def _summary(
    decided: Decided, spec: IntentionSpec, histories: Histories
) -> dict[str, Any]:
    """Counts of the intention for the report; ``histories`` are those of all rows."""
    (_, intention), sides = _parts(decided), {}
    for side, name in enumerate(SPLIT_NAMES):
        answers = intention.label_n[decided.split_n == side]
        held = answers[answers != NO_LABEL]
        counts = np.bincount(held, minlength=len(intention.classes)).tolist()
        classes = dict(zip(intention.classes, counts, strict=True))
        sides[name] = {"anchors": len(held), "classes": classes}
    facts = {
        "kind": spec.kind.value,
        "definition": spec.describe(),
        "circular": spec.circular,
        "horizon_days": spec.horizon_days,
        "window": spec.window,
        "classes": list(intention.classes),
        "covariates": list(spec.covariate_names),
        "cut": None,
        "splits": sides,
        "unlabelled": intention.reasons(),
        "times": describe_times(histories),
    }
    return {"intention": facts}
