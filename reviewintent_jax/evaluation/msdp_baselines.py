"""Systems beside MSDP-Net: training cases -> answers of test cases.

Every one is fitted on the training cases alone and chooses its settings on validation.
None reads a text but the last.
"""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from reviewintent_jax.evaluation.intention_baselines import (
    LEAVES,
    boosted,
    few_threads,
    log_prob,
)
from reviewintent_jax.evaluation.msdp_metrics import Said
from reviewintent_jax.evaluation.shuffled import score_shuffled, some_rows
from reviewintent_jax.evaluation.survival import kaplan_meier_hazards
from reviewintent_jax.schema import InputError

ROUNDS = 120
"""Most trees; how many are kept is chosen on validation."""
_RATE = 0.06
_STRENGTHS = (1.0, 0.1, 10.0, 0.01)
_WORDS = 20_000

log = logging.getLogger("reviewintent")


@dataclasses.dataclass(frozen=True)
class MsdpEvaluationSpec:
    """What is measured, and how.

    Attributes:
      batch_cases: cases answered at once, 1 or more.
      single_sources: whether the same network is trained on each source alone.
      bootstrap_samples: resamples behind the intervals; 0 = none.
    """

    batch_cases: int
    single_sources: bool
    bootstrap_samples: int

    def __post_init__(self) -> None:
        if self.batch_cases < 1:
            raise InputError("evaluation.batch_cases must be 1 or more.")
        if self.bootstrap_samples < 0:
            raise InputError("evaluation.bootstrap_samples must not be negative.")


class CaseTable(NamedTuple):
    """What baselines learn from and are asked about; rows are all cases.

    Attributes:
      flat_nf: numbers of each case; NaN = missing.
      recency_nf: recency and frequency; None without events.
      past_value_n: mean value of the subject's own past; None without events.
      category_n: int, -1 = none.
      texts: text of each case; None where there is none at all.
      intent_n, value_n: answers, -1 and NaN unknown.
      interval_n, inside_n: see :class:`~reviewintent_jax.evaluation.msdp_metrics.
        Truth`.
      intervals: number of them; 0 where the time is not asked.
      tasks: which of intent, value and time are asked.
      train_n, validation_n, asked_n: rows.
      seed: of the boosted trees.
    """

    flat_nf: np.ndarray
    recency_nf: np.ndarray | None
    past_value_n: np.ndarray | None
    category_n: np.ndarray
    texts: list[str] | None
    intent_n: np.ndarray
    value_n: np.ndarray
    interval_n: np.ndarray
    inside_n: np.ndarray
    intervals: int
    tasks: tuple[str, ...]
    train_n: np.ndarray
    validation_n: np.ndarray
    asked_n: np.ndarray
    seed: int

    def known(self, rows: np.ndarray, task: str) -> np.ndarray:
        """Those of the rows whose answer is known."""
        known = {
            "intent": self.intent_n >= 0,
            "value": np.isfinite(self.value_n),
            "time": self.interval_n >= 0,
        }[task]
        return rows[known[rows]]


def baselines(table: CaseTable) -> dict[str, Said]:
    """Every system that these data allow, in the order in which they are shown."""
    fits: dict[str, Callable[[CaseTable], Said | None]] = {
        "base_rate": base_rate,
        "recency_frequency": recency_frequency_regression,
        "user_mean": user_mean,
        "category_median": category_median,
        "kaplan_meier": kaplan_meier,
        "gradient_boosting": gradient_boosting,
        "tfidf_logistic_regression": word_regression,
    }
    found = {}
    for name, fit in fits.items():
        log.info("Baseline: %s", name.replace("_", " "))
        said = fit(table)
        if said is not None:
            found[name] = said
    return found


def base_rate(table: CaseTable) -> Said | None:
    """The share of yes and the median value among training cases, for everybody."""
    asked, chance, value = len(table.asked_n), None, None
    if "intent" in table.tasks:
        share = table.intent_n[table.known(table.train_n, "intent")].mean()
        chance = np.full(asked, share)
    if "value" in table.tasks:
        known = table.value_n[table.known(table.train_n, "value")]
        value = np.full(asked, np.median(known))
    if chance is None and value is None:
        return None
    return Said(chance, value)


def recency_frequency_regression(table: CaseTable) -> Said | None:
    """Logistic regression on recency, frequency and span."""
    if table.recency_nf is None or "intent" not in table.tasks:
        return None
    train = table.known(table.train_n, "intent")
    validation = table.known(table.validation_n, "intent")
    scale = StandardScaler().fit(table.recency_nf[train])
    sides = [
        scale.transform(table.recency_nf[rows])
        for rows in (train, validation, table.asked_n)
    ]
    return _best_regression(table, sides, train, validation)


def _best_regression(
    table: CaseTable, sides: list[Any], train: np.ndarray, validation: np.ndarray
) -> Said:
    """Answers of the logistic regression whose penalty does best on validation.

    Args:
      table: the answers.
      sides: features of train, of validation and of what is asked.
      train, validation: their rows.
    """
    best: tuple[float, Any] | None = None
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(sides[0], table.intent_n[train])
        chance = model.predict_proba(sides[1])[:, 1]
        loss = log_loss(table.intent_n[validation], chance, labels=[0, 1])
        if best is None or loss < best[0]:
            best = loss, model
    assert best is not None
    return Said(best[1].predict_proba(sides[2])[:, 1])


def user_mean(table: CaseTable) -> Said | None:
    """The mean of what the subject spent before; the mean of training for the new."""
    if table.past_value_n is None or "value" not in table.tasks:
        return None
    usual = table.value_n[table.known(table.train_n, "value")].mean()
    past = table.past_value_n[table.asked_n]
    return Said(value_n=np.maximum(np.where(np.isfinite(past), past, usual), 0))


def category_median(table: CaseTable) -> Said | None:
    """The median value among training cases of the same category."""
    if "value" not in table.tasks or (table.category_n < 0).all():
        return None
    train = table.known(table.train_n, "value")
    overall = np.median(table.value_n[train])
    asked = table.category_n[table.asked_n]
    medians = {
        category: np.median(table.value_n[train[table.category_n[train] == category]])
        for category in np.unique(table.category_n[train])
    }
    return Said(value_n=np.array([medians.get(c, overall) for c in asked]))


def kaplan_meier(table: CaseTable) -> Said | None:
    """The hazards of all training cases together, for everybody."""
    if "time" not in table.tasks:
        return None
    train = table.train_n
    hazard_j = kaplan_meier_hazards(
        table.interval_n[train], table.inside_n[train], table.intervals
    )
    return Said(hazard_nj=np.tile(hazard_j, (len(table.asked_n), 1)))


def gradient_boosting(table: CaseTable) -> Said | None:
    """Boosted trees on all that is structured and the sums of the events: of the
    answer, of log(1 + value), and of the hazard of each interval at risk.
    """
    x_nf = table.flat_nf
    if not x_nf.shape[1]:
        return None
    chance = value = hazard = None
    with few_threads(len(table.train_n)):
        if "intent" in table.tasks:
            label = table.intent_n.astype(np.float64)
            model = _boost(table, x_nf, label, "intent")
            chance = model.predict_proba(x_nf[table.asked_n])[:, 1]
        if "value" in table.tasks:
            model = _boost(table, x_nf, np.log1p(table.value_n), "value")
            value = np.maximum(np.expm1(model.predict(x_nf[table.asked_n])), 0)
        if "time" in table.tasks:
            hazard = _boosted_hazards(table, x_nf)
    return Said(chance, value, hazard)


def _boost(table: CaseTable, x_nf: np.ndarray, answer_n: np.ndarray, task: str) -> Any:
    """Trees whose leaves and number do best on validation."""
    train = table.known(table.train_n, task)
    validation = table.known(table.validation_n, task)
    train_data = x_nf[train], answer_n[train]
    return _chosen(train_data, (x_nf[validation], answer_n[validation]), task, table)


def _chosen(train: tuple, validation: tuple, task: str, table: CaseTable) -> Any:
    """The boosted trees with the least loss on validation, fitted on training."""
    kind: Any = (
        HistGradientBoostingRegressor
        if task == "value"
        else HistGradientBoostingClassifier
    )
    fixed = {"learning_rate": _RATE, "random_state": table.seed}
    fixed |= {"early_stopping": False}
    tried = []
    for leaves in LEAVES:
        model = kind(max_iter=ROUNDS, max_leaf_nodes=leaves, **fixed).fit(*train)
        x_nf, answer_n = validation
        if task == "value":
            losses = [((said - answer_n) ** 2).mean() for said in _staged(model, x_nf)]
        else:
            losses = [
                log_loss(answer_n, np.clip(said, 1e-9, 1 - 1e-9), labels=[0, 1])
                for said in _staged(model, x_nf)
            ]
        tried.append((min(losses), leaves, int(np.argmin(losses)) + 1))
    _, leaves, rounds = min(tried)
    return kind(max_iter=rounds, max_leaf_nodes=leaves, **fixed).fit(*train)


def _staged(model: Any, x_nf: np.ndarray) -> Any:
    """Answers after each tree."""
    if hasattr(model, "staged_predict_proba"):
        return (prob_ny[:, 1] for prob_ny in model.staged_predict_proba(x_nf))
    return model.staged_predict(x_nf)


def _boosted_hazards(table: CaseTable, x_nf: np.ndarray) -> np.ndarray:
    """Hazards by trees that read the interval's number too: one row for each case and
    interval at risk.
    """
    sides = [
        _at_risk(table, x_nf, table.known(rows, "time"))
        for rows in (table.train_n, table.validation_n)
    ]
    model = _chosen(*sides, task="time", table=table)
    asked = x_nf[table.asked_n]
    columns = []
    for j in range(table.intervals):
        number = np.full((len(asked), 1), float(j))
        both = np.concatenate([asked, number], axis=1)
        columns.append(model.predict_proba(both)[:, 1])
    return np.stack(columns, axis=1)


def _at_risk(
    table: CaseTable, x_nf: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Features with the interval's number, and whether the event came in it."""
    interval, inside = table.interval_n[rows], table.inside_n[rows]
    parts, answers = [], []
    for j in range(table.intervals):
        here = inside & (interval == j)
        risk = np.flatnonzero(here | (interval > j))
        number = np.full((len(risk), 1), float(j))
        parts.append(np.concatenate([x_nf[rows[risk]], number], axis=1))
        answers.append(here[risk].astype(np.float64))
    return np.concatenate(parts), np.concatenate(answers)


def shuffled_answers(table: CaseTable) -> dict[str, Any] | None:
    """AUC of boosted trees that were fitted on shuffled answers, which must be chance.

    Returns:
      See :func:`~reviewintent_jax.evaluation.shuffled.score_shuffled`; None where no
      intent is asked or nothing but texts is read.
    """
    if "intent" not in table.tasks or not table.flat_nf.shape[1]:
        return None
    rng = np.random.default_rng(table.seed)
    known = table.known(table.train_n, "intent")
    rows = known[some_rows(len(known), rng)]
    asked_n = table.asked_n

    def answer(label_n: np.ndarray) -> np.ndarray:
        model = boosted(LEAVES[0], ROUNDS // 3, table.seed)
        with few_threads(len(rows)):
            model.fit(table.flat_nf[rows], label_n)
            return log_prob(model, table.flat_nf[asked_n], 2)

    labels = table.intent_n[rows], table.intent_n[asked_n]
    return score_shuffled(answer, *labels, ("no", "yes"), rng, "Boosted trees")


def word_regression(table: CaseTable) -> Said | None:
    """TF-IDF of words and pairs of words, and logistic regression."""
    if table.texts is None or "intent" not in table.tasks:
        return None
    train = table.known(table.train_n, "intent")
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, max_features=_WORDS, ngram_range=(1, 2)
    )
    try:
        vectorizer.fit([table.texts[n] for n in train])
    except ValueError:  # no words at all
        return None
    validation = table.known(table.validation_n, "intent")
    sides = [
        vectorizer.transform([table.texts[n] for n in rows])
        for rows in (train, validation, table.asked_n)
    ]
    return _best_regression(table, sides, train, validation)
