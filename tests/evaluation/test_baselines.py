import gzip
import io

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from reviewintent_jax.evaluation import baselines
from reviewintent_jax.evaluation.baselines import (
    majority_log_probabilities,
    tfidf_logistic_regression,
)
from reviewintent_jax.schema import NO_LABEL, InputError

WORDS = (("awful", "broke", "refund"), ("fine", "okay", "plain"), ("love", "best"))


def reviews(n: int, seed: int, classes: int = 3) -> tuple[list[str], np.ndarray]:
    """Texts with one telling word among idle ones."""
    rng = np.random.default_rng(seed)
    label_n = rng.integers(classes, size=n)
    idle = [f"word{k}" for k in range(40)]
    texts = []
    for label in label_n:
        words = [*rng.choice(idle, size=5), rng.choice(WORDS[label])]
        texts.append(" ".join(rng.permutation(words)))
    return texts, label_n


def fitted(train, validation, test_texts, **changes):
    settings = {"classes": 3, "max_rows": 10_000, "seed": 0} | changes
    return tfidf_logistic_regression(*train, *validation, test_texts, **settings)


def test_majority_is_the_picture_in_its_docstring():
    found = majority_log_probabilities(np.array([0, 1, 1, 1]), 2, 1)
    np.testing.assert_allclose(found, [[np.log(0.25), np.log(0.75)]])


def test_majority_gives_an_absent_class_a_finite_log_probability():
    found = majority_log_probabilities(np.array([0, 1, NO_LABEL]), 3, 2)
    assert found.shape == (2, 3)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 0], np.log(0.5))


def test_majority_without_labels_is_refused():
    with pytest.raises(InputError, match="No training review"):
        majority_log_probabilities(np.array([NO_LABEL]), 2, 1)


def test_tfidf_learns_what_words_tell():
    texts, label_n = reviews(60, seed=2)
    result = fitted(reviews(400, seed=0), reviews(60, seed=1), texts)
    assert (result.log_prob.argmax(1) == label_n).mean() > 0.95
    np.testing.assert_allclose(np.exp(result.log_prob).sum(axis=1), 1, rtol=1e-9)
    assert result.validation_score > 0.95


def test_tfidf_reads_punctuation_and_emoji():
    texts = ["well 😍", "well 😡"] * 30
    label_n = np.array([1, 0] * 30)
    result = fitted((texts, label_n), (texts, label_n), ["so 😍", "so 😡"], classes=2)
    np.testing.assert_array_equal(result.log_prob.argmax(1), [1, 0])


def test_tfidf_gives_the_same_answer_twice():
    train, validation = reviews(120, seed=0), reviews(40, seed=1)
    first = fitted(train, validation, train[0], max_rows=80)
    second = fitted(train, validation, train[0], max_rows=80)
    np.testing.assert_array_equal(first.log_prob, second.log_prob)


def test_tfidf_uses_no_more_rows_than_allowed():
    result = fitted(reviews(90, seed=0), reviews(30, seed=1), ["love"], max_rows=50)
    assert result.rows == 50


def test_tfidf_ignores_rows_without_label():
    texts, label_n = reviews(100, seed=0)
    misled = [*texts, *["love best"] * 40]
    labels = np.append(label_n, [NO_LABEL] * 40)
    validation = reviews(40, seed=1)
    with_them = fitted((misled, labels), validation, texts)
    without = fitted((texts, label_n), validation, texts)
    np.testing.assert_array_equal(with_them.log_prob, without.log_prob)


def test_tfidf_gives_a_class_unseen_in_training_a_tiny_probability():
    texts, label_n = reviews(80, seed=0, classes=2)
    result = fitted((texts, label_n), reviews(30, seed=1, classes=2), texts)
    assert result.log_prob.shape == (80, 3)
    assert np.isfinite(result.log_prob).all()
    assert (result.log_prob[:, 2] < -8).all()


def test_tfidf_of_one_class_always_says_it():
    result = fitted((["a", "b"], np.array([2, 2])), ([], np.array([])), ["c"])
    np.testing.assert_allclose(np.exp(result.log_prob), [[0, 0, 1]], atol=1e-9)


def test_tfidf_works_without_validation():
    texts, label_n = reviews(200, seed=0)
    result = fitted((texts, label_n), ([], np.array([], int)), texts)
    assert (result.log_prob.argmax(1) == label_n).mean() > 0.95
    assert result.temperature == 1.0
    assert np.isnan(result.validation_score)


def test_tfidf_without_training_labels_is_refused():
    with pytest.raises(InputError, match="No training review"):
        fitted((["a"], np.array([NO_LABEL])), ([], np.array([], int)), ["b"])


def test_tfidf_scores_in_parts_what_it_scores_at_once(monkeypatch):
    train, validation = reviews(100, seed=0), reviews(30, seed=1)
    whole = fitted(train, validation, train[0])
    monkeypatch.setattr(baselines, "_SCORED_AT_ONCE", 7)
    parts = fitted(train, validation, train[0])
    np.testing.assert_allclose(whole.log_prob, parts.log_prob, rtol=1e-12)


def test_tfidf_is_a_strong_baseline_on_real_tweets(shared_data):
    with gzip.open(shared_data / "airline_tweets" / "tweets.csv.gz") as stream:
        table = pd.read_csv(io.BytesIO(stream.read())).drop_duplicates("text")
    table = table.sample(3000, random_state=0)
    texts = table["text"].tolist()
    names = sorted(set(table["airline_sentiment"]))
    label_n = table["airline_sentiment"].map(names.index).to_numpy()
    result = fitted(
        (texts[:2000], label_n[:2000]),
        (texts[2000:2300], label_n[2000:2300]),
        texts[2300:],
    )
    score = f1_score(label_n[2300:], result.log_prob.argmax(1), average="macro")
    assert score > 0.66


@pytest.mark.parametrize("mark", ["'", "’", "ʼ"])
def test_tfidf_keeps_ukrainian_words_with_an_apostrophe_whole(mark):
    words = [f"об{mark}єктив", f"п{mark}ять", f"зв{mark}язок", f"кур{mark}єр"]
    text = f"{words[0].title()}, {words[1]} днів: {words[2]} — {words[3]}!"
    vectorizer = baselines._word_vectorizer(1)
    vectorizer.fit([text])
    found = set(vectorizer.get_feature_names_out())
    assert {*words, "днів", "!", "—"} <= found
    assert not {"об", "єктив", "п", "ять", mark} & found


def test_tfidf_tells_short_ukrainian_and_russian_reviews_apart():
    good = ["супер", "Ok 👍", "дуже п'ять зірок", "отлично"]
    bad = ["жах", "зв'язку немає 😡", "не раджу", "плохо"]
    texts, label_n = (good + bad) * 9, np.array(([1] * 4 + [0] * 4) * 9)
    result = fitted((texts, label_n), (texts, label_n), good + bad, classes=2)
    np.testing.assert_array_equal(result.log_prob.argmax(1), [1] * 4 + [0] * 4)
