"""What a run leaves behind about intention: its table of anchors and its scores.

In: what the model says of reviews, and the histories that they belong to. Out: the
tables of predicted anchors, and the section ``intention`` of ``metrics.json``.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from reviewintent_jax.data.histories import Histories
from reviewintent_jax.data.intention import Intention, IntentionKind, positive_range
from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.data.prepared_pages import whole_windows
from reviewintent_jax.data.splits import NO_TIME, TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import Baseline
from reviewintent_jax.evaluation.intention import (
    TEXT_ONLY,
    IntentionFacts,
    intention_metrics,
    intention_table,
    text_only_system,
)
from reviewintent_jax.evaluation.intention_baselines import (
    Sides,
    fit_intention_baselines,
)
from reviewintent_jax.evaluation.intention_report import PREDICTIONS
from reviewintent_jax.evaluation.intention_windows import (
    Windows,
    gather_windows,
    last_values,
)
from reviewintent_jax.evaluation.scoring import ReviewLogits
from reviewintent_jax.evaluation.shuffled import shuffled_labels, shuffled_texts
from reviewintent_jax.schema import NO_LABEL, RunFolder
from reviewintent_jax.training.experiment import Experiment
from reviewintent_jax.training.files import Facts, write_table
from reviewintent_jax.training.trained import Trained, TrainedIntention

_VALIDATION = "intention_validation"


def begin_intention(experiment: Experiment) -> TrainedIntention | None:
    """What answers about intention need, before temperature and threshold are known."""
    if experiment.scale is None:
        return None
    labels = experiment.prepared.intention_labels
    return TrainedIntention(experiment.intents, experiment.scale, labels, 1.0, None)


def score_intention(
    trained: Trained,
    fitted: Prepared,
    tested: Prepared,
    said: Mapping[int, ReviewLogits],
    folder: RunFolder,
) -> Facts:
    """Writes the tables of predicted anchors; returns the section ``intention``.

    Args:
      trained: the model, with the temperature of its sentiment.
      fitted: the run's own data: the baselines learn from its train split, and
        everything is chosen on its validation split.
      tested: whose test split is scored; the same unless other data are evaluated.
      said: logits of the validation split of ``fitted`` and the test split of
        ``tested``, by split.
      folder: where the tables go.
    """
    spec, data = trained.evaluation, trained.data.intention
    facts = _facts(tested, data.kind)
    tables = {
        split: _table(trained, prepared, split, said[split])
        for split, prepared in ((VALIDATION, fitted), (TEST, tested))
    }
    sides = Sides(
        train=_windows(trained, fitted, fitted.anchors(TRAIN)),
        validation=_windows(trained, fitted, fitted.anchors(VALIDATION)),
        test=_windows(trained, tested, tested.reviews(TEST)),
    )
    text_only = text_only_system(
        said[VALIDATION].text_intent_ny.astype(np.float64),
        tables[VALIDATION]["label"].to_numpy(),
        said[TEST].text_intent_ny.astype(np.float64),
        spec,
    )
    others = fit_intention_baselines(sides, facts.classes, spec)
    boosting, shuffled = others["gradient_boosting"], None
    if isinstance(boosting, Baseline):
        shuffled = shuffled_labels(sides, facts.classes, spec, boosting.facts)
    anchors, reviews = fitted.anchors(TRAIN), tested.reviews(TEST)
    texts = fitted.texts(anchors), tested.texts(reviews)
    labels = sides.train.label_n, sides.test.label_n
    section = intention_metrics(
        tables[VALIDATION],
        tables[TEST],
        facts,
        {TEXT_ONLY: text_only} | others,
        spec,
        shuffled=shuffled,
        shuffled_text=shuffled_texts(texts, labels, facts.classes, spec),
    )
    tables[TEST]["text"] = texts[1]
    write_table(folder.predictions(PREDICTIONS), tables[TEST])
    write_table(folder.predictions(_VALIDATION), tables[VALIDATION])
    return section


def _facts(prepared: Prepared, kind: IntentionKind) -> IntentionFacts:
    """What intention meant, for the record."""
    said, (histories, intention) = prepared.summary["intention"], _asked(prepared)
    within = kind is IntentionKind.REPURCHASE
    return IntentionFacts(
        kind=kind.value,
        definition=said["definition"],
        horizon_days=said["horizon_days"] if within else None,
        window=whole_windows(histories).shape[1],
        classes=intention.classes,
        target=len(intention.classes) - 1,  # the class that buys or likes comes last
        cut=said["cut"],
        unlabelled=said["unlabelled"],
    )


def _table(
    trained: Trained, prepared: Prepared, split: int, said: ReviewLogits
) -> pd.DataFrame:
    """The predicted anchors of a split: all its reviews, with an answer or without."""
    reviews, (histories, intention) = prepared.reviews(split), _asked(prepared)
    classes = trained.labels.classes
    felt_n = np.full(len(reviews), np.nan)
    liked_n = np.full(len(reviews), NO_LABEL, np.int64)
    if classes:
        positive = len(classes) - 1
        logits_ny = said.sentiment_ny.astype(np.float64)
        felt_n = probabilities(logits_ny, trained.temperature)[:, positive]
        label_n = prepared.label_n[reviews]
        liked_n = np.where(label_n == NO_LABEL, NO_LABEL, label_n == positive)
    return intention_table(
        reviews,
        said.intent_ny,
        intention.label_n[reviews],
        row_n=prepared.row_n[reviews],
        subject_n=np.array(prepared.subjects(reviews), object),
        time_n=_times(histories)[reviews],
        seen_n=(whole_windows(histories)[reviews] >= 0).sum(axis=1),
        sentiment_n=felt_n,
        sentiment_label_n=liked_n,
        truth_n=prepared.truth_intent_n[reviews],
    )


def _windows(trained: Trained, prepared: Prepared, anchors: np.ndarray) -> Windows:
    """The windows of some anchors, as the learners beside the model see them."""
    (histories, intention), asked = _asked(prepared), trained.data.intention
    window_nw, time_n = whole_windows(histories), _times(histories)
    value_n = intention.label_n
    if asked.kind is IntentionKind.NEXT_POSITIVE:
        low, high = positive_range(asked.positive_stars)
        stars_n = prepared.stars(np.arange(len(value_n)))
        liked_n = (stars_n >= low) & (stars_n <= high)
        value_n = np.where(np.isnan(stars_n), NO_LABEL, liked_n)
    horizon = asked.horizon_days
    last_n = last_values(asked.kind.value, window_nw, time_n, value_n, horizon)
    covariate_nx = histories.covariate_nx
    return gather_windows(
        anchors, window_nw, covariate_nx, time_n, last_n, intention.label_n
    )


def _times(histories: Histories) -> np.ndarray:
    """float64 seconds; NaN where there is no time."""
    return np.where(histories.time_n == NO_TIME, np.nan, histories.time_n)


def _asked(prepared: Prepared) -> tuple[Histories, Intention]:
    if prepared.histories is None or prepared.intention is None:
        raise ValueError("the data were prepared without intention")
    return prepared.histories, prepared.intention
