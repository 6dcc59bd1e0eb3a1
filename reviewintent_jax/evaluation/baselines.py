"""Baselines: training texts and labels -> log-probabilities of the same splits.

Two systems stand beside every score of the model: always answering with the shares of
the classes, and TF-IDF with logistic regression, which is hard to beat on short texts
and must be given its best. Both learn from the training split alone, as the model does;
settings are chosen on validation.
"""

import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from reviewintent_jax.evaluation.calibration import best_threshold, fit_temperature
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.schema import NO_LABEL, InputError

_TINY = 1e-12  # the smallest probability given to a class
_WORDS = r"(?u)\w+(?:['’]\w+)?|[!?]+|[^\w\s]"  # punctuation and emoji carry feeling
_SCORED_AT_ONCE = 20_000  # texts whose features are held in memory
_CHARACTER_BUDGET = 8_000_000
"""Training text, in characters, up to which letters are tried beside words.

Letters catch the misspellings of tweets and the endings of inflected languages (on
airline tweets one point of macro-F1); on long reviews they cost a second a megabyte and
win nothing (measured on Yelp and clothing reviews).
"""


class TfidfSetting(NamedTuple):
    """One candidate of the small grid.

    Attributes:
      letters: whether n-grams of letters stand beside those of words.
      class_weight: None, or ``"balanced"``: rare classes count as much as common ones.
      c: inverse strength of the L2 penalty, above 0.
    """

    letters: bool
    class_weight: str | None
    c: float


class TfidfResult(NamedTuple):
    """What the baseline says, and how it came to be.

    Attributes:
      log_prob: [n, y], natural log-probabilities of the texts asked for, in their
        order, calibrated on validation as the model's are.
      temperature: what its log-probabilities were divided by.
      threshold: the probability of class 1 from which macro-F1 is best on validation;
        None unless there are two classes.
      C: inverse strength of the L2 penalty, the best of the grid on validation.
      class_weight: ``"balanced"`` or None, likewise.
      letters: whether n-grams of letters stand beside those of words, likewise.
      validation_score: the mean of macro-F1 and AUC there, 0 to 1; nan if validation
        is empty.
      features: n-grams in the chosen model.
      rows: training reviews used, at most ``max_rows``.
      seconds: time for everything, choosing included.
    """

    log_prob: np.ndarray
    temperature: float
    threshold: float | None
    C: float
    class_weight: str | None
    letters: bool
    validation_score: float
    features: int
    rows: int
    seconds: float


WORD_SETTINGS = tuple(
    TfidfSetting(False, weight, c) for weight in ("balanced", None) for c in (16, 4, 64)
)
LETTER_SETTINGS = tuple(
    TfidfSetting(True, weight, c) for weight in ("balanced", None) for c in (4, 1, 16)
)


def majority_log_probabilities(
    train_label_n: np.ndarray, classes: int, n: int
) -> np.ndarray:
    """Return the log shares of the classes in training, the same for every row: [n, y].

    The answer is the most frequent class. A class that training lacks gets probability
    1e-12, so that no log-loss is infinite.

    Example: labels ``[0, 1, 1, 1]``, 2 classes, n = 1 -> ``[[log 0.25, log 0.75]]``.

    Args:
      train_label_n: classes of the training split; ``NO_LABEL`` rows are ignored.
      classes: number of classes.
      n: rows wanted.

    Raises:
      InputError: no training row has a label.
    """
    label_n = np.asarray(train_label_n)
    label_n = label_n[label_n != NO_LABEL]
    if not len(label_n):
        raise InputError("No training review has a label.", where="split train")
    share_y = np.bincount(label_n, minlength=classes) / len(label_n)
    return np.tile(np.log(np.maximum(share_y, _TINY)), (n, 1))


def tfidf_logistic_regression(
    train_texts: Sequence[str],
    train_labels: np.ndarray,
    validation_texts: Sequence[str],
    validation_labels: np.ndarray,
    test_texts: Sequence[str],
    *,
    classes: int,
    max_rows: int,
    seed: int,
) -> TfidfResult:
    """Fit TF-IDF and logistic regression; choose and calibrate on validation.

    Single words and pairs, punctuation and emoji included, sublinear counts; n-grams of
    2 to 4 letters beside them while the text is short enough; class weights or none;
    three strengths of penalty. The best mean of macro-F1 and AUC on validation wins.

    Args:
      train_texts: cleaned texts of the training split.
      train_labels: [n], their classes; ``NO_LABEL`` rows are ignored.
      validation_texts: texts that the setting is chosen on; may be empty.
      validation_labels: [n], their classes; ``NO_LABEL`` rows are ignored.
      test_texts: [n], texts to score.
      classes: number of classes.
      max_rows: most training (and validation) reviews to use; a larger split is
        sampled at random. At least 1.
      seed: seed of that sample.

    Raises:
      InputError: no training review has a label.
    """
    start = time.perf_counter()
    texts, label_n = _labelled(train_texts, train_labels, max_rows, seed)
    choice_texts, choice_n = _labelled(
        validation_texts, validation_labels, max_rows, seed
    )
    if len(np.unique(label_n)) < 2:
        log_prob_ny = majority_log_probabilities(label_n, classes, len(test_texts))
        seconds = time.perf_counter() - start
        return TfidfResult(
            log_prob_ny, 1.0, None, 1.0, None, False, np.nan, 0, len(texts), seconds
        )
    chosen = _choose(texts, label_n, choice_texts, choice_n, classes)
    temperature, threshold = _calibrate(chosen, choice_texts, choice_n, classes)
    log_prob_ny = _log_probabilities(chosen, test_texts, classes) / temperature
    return TfidfResult(
        log_prob=log_softmax(log_prob_ny, axis=1),
        temperature=temperature,
        threshold=threshold,
        C=chosen.setting.c,
        class_weight=chosen.setting.class_weight,
        letters=chosen.setting.letters,
        validation_score=chosen.score,
        features=chosen.model.coef_.shape[1],
        rows=len(texts),
        seconds=time.perf_counter() - start,
    )


class _Chosen(NamedTuple):
    """The fitted winner of the grid."""

    setting: TfidfSetting
    score: float
    vectorizers: list[TfidfVectorizer]
    model: LogisticRegression


def _labelled(
    texts: Sequence[str], labels: np.ndarray, max_rows: int, seed: int
) -> tuple[list[str], np.ndarray]:
    """Keep rows with a label, and of those a random ``max_rows``, in their order."""
    labels = np.asarray(labels, int)
    kept = np.flatnonzero(labels != NO_LABEL)
    if len(kept) > max_rows:
        kept = np.random.default_rng(seed).choice(kept, max_rows, replace=False)
        kept.sort()
    return [texts[index] for index in kept.tolist()], labels[kept]


def _choose(
    texts: Sequence[str],
    label_n: np.ndarray,
    choice_texts: Sequence[str],
    choice_n: np.ndarray,
    classes: int,
) -> _Chosen:
    """Fit every setting of the grid; return the best on validation, fitted."""
    vectorizers = [_word_vectorizer(len(texts))]
    grid: list[TfidfSetting] = [*WORD_SETTINGS]
    if sum(map(len, texts)) <= _CHARACTER_BUDGET and len(choice_n):
        vectorizers.append(_letter_vectorizer(len(texts)))
        grid += LETTER_SETTINGS
    if not len(choice_n):
        grid = grid[:1]
    train: list[Any] = [vectorizer.fit_transform(texts) for vectorizer in vectorizers]
    choice: list[Any] = []
    if len(choice_n):
        choice = [vectorizer.transform(choice_texts) for vectorizer in vectorizers]
    winner = None
    for setting in grid:
        used = 1 + setting.letters
        model = _fit(sparse.hstack(train[:used], format="csr"), label_n, setting)
        score = np.nan
        if len(choice_n):
            features = sparse.hstack(choice[:used], format="csr")
            score = _score(_prob(model, features, classes), choice_n)
        if winner is None or score > winner.score:
            winner = _Chosen(setting, score, vectorizers[:used], model)
    assert winner is not None
    return winner


def _calibrate(
    chosen: _Chosen, texts: Sequence[str], label_n: np.ndarray, classes: int
) -> tuple[float, float | None]:
    """Choose temperature and, between two classes, threshold on validation."""
    logits_ny = _log_probabilities(chosen, texts, classes)
    temperature = fit_temperature(logits_ny, label_n)
    if classes != 2:
        return temperature, None
    prob_ny = softmax(logits_ny / temperature, axis=1)
    return temperature, best_threshold(prob_ny[:, 1], label_n)


def _score(prob_ny: np.ndarray, label_n: np.ndarray) -> float:
    """Average macro-F1 and AUC, which the model is compared by; AUC is the steadier."""
    names = [str(y) for y in range(prob_ny.shape[1])]
    scores = classification_metrics(
        prob_ny, label_n, names, bootstrap_samples=0, seed=0
    )
    values = [scores[name]["value"] for name in ("macro_f1", "auc")]
    return float(np.mean([value for value in values if value is not None]))


def _prob(model: LogisticRegression, features: Any, classes: int) -> np.ndarray:
    """Return probabilities [n, y]; a class that training lacks gets 1e-12."""
    prob_ny = np.full((features.shape[0], classes), _TINY)
    prob_ny[:, model.classes_] = np.maximum(model.predict_proba(features), _TINY)
    return prob_ny


def _fit(
    features: Any, label_n: np.ndarray, setting: TfidfSetting
) -> LogisticRegression:
    """Fit one logistic regression."""
    model = LogisticRegression(
        C=setting.c, class_weight=setting.class_weight, max_iter=500
    )
    # The vectors that the solver adds up are too short for threads: on a busy machine
    # they cost twenty times the time.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Validation judges the fit as it is; the last digit of its loss matters little.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, label_n)


def _log_probabilities(
    chosen: _Chosen, texts: Sequence[str], classes: int
) -> np.ndarray:
    """Score texts, a bounded number at a time."""
    parts = [np.zeros((0, classes))]
    for start in range(0, len(texts), _SCORED_AT_ONCE):
        some = texts[start : start + _SCORED_AT_ONCE]
        features = [vectorizer.transform(some) for vectorizer in chosen.vectorizers]
        stacked = sparse.hstack(features, format="csr")
        parts.append(np.log(_prob(chosen.model, stacked, classes)))
    return np.concatenate(parts)


def _word_vectorizer(rows: int) -> TfidfVectorizer:
    """Weigh words and pairs of words; with enough text, those seen twice or more."""
    return TfidfVectorizer(
        token_pattern=_WORDS,
        ngram_range=(1, 2),
        min_df=2 if rows >= 500 else 1,
        max_features=500_000,
        sublinear_tf=True,
    )


def _letter_vectorizer(rows: int) -> TfidfVectorizer:
    """Weigh runs of 2 to 4 letters within words."""
    return TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 4),
        min_df=3 if rows >= 500 else 1,
        max_features=200_000,
        sublinear_tf=True,
    )
