import json
import re

import numpy as np
import pytest

from reviewintent_jax.evaluation.evaluate import Baseline, EvaluationSpec, Threshold
from reviewintent_jax.evaluation.intention import IntentionFacts, intention_metrics
from reviewintent_jax.evaluation.intention import intention_table as make_table
from reviewintent_jax.evaluation.intention_baselines import Absent
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.schema import NO_LABEL, RunFolder
from tests.evaluation.test_reports import EVIL, checked

SPEC = EvaluationSpec(2, Threshold.ARGMAX, 9, 1000, 3)
YEAR = 365 * 86_400


def intention_part(subject_n, time_n, **changes):
    n = len(subject_n)
    rng = np.random.default_rng(0)
    label_n = rng.integers(2, size=n)
    label_n[::7] = NO_LABEL
    table = make_table(
        np.arange(n),
        np.stack([np.zeros(n), rng.normal(size=n)], axis=1),
        label_n,
        row_n=np.arange(n) + 9,
        subject_n=subject_n,
        time_n=time_n,
        seen_n=np.ones(n, int),
        sentiment_n=rng.random(n),
        sentiment_label_n=rng.integers(2, size=n),
        truth_n=rng.random(n),
    )
    table["text"] = [EVIL if i % 2 else f"text {i}" for i in range(n)]
    facts = {
        "kind": "repurchase",
        "definition": "the next review of the same 'user' follows within 30 days",
        "horizon_days": 30,
        "window": 7,
        "classes": ("no repurchase", "repurchase"),
        "target": 1,
        "cut": "2019-05-06T00:00:00Z",
        "unlabelled": {"follow-up shorter than the horizon": 12},
    }
    logit_ny = np.stack([np.zeros(n), rng.normal(size=n)], axis=1)
    others = {
        "text_only": Baseline(np.log(np.full((n, 2), 0.5)) + 0 * logit_ny, {}),
        "last_value": Absent("No review has an earlier one."),
    }
    auc = {"value": 0.51, "low": 0.4, "high": 0.6}
    return table, intention_metrics(
        table.copy(),
        table,
        IntentionFacts(**(facts | changes)),
        others,
        SPEC,
        shuffled={"auc": auc, "shuffles": 20, "rows": 9, "suspicious": False},
    )


@pytest.fixture
def run(tmp_path):
    """Write a run whose section of intention is given; return it."""

    def write(section, table=None, **more):
        half = np.full((4, 2), 0.5)
        scores = classification_metrics(
            half, np.array([0, 1, 1, 0]), ("bad", "good"), bootstrap_samples=0, seed=0
        )
        metrics = {
            "name": "a run",
            "classes": ["bad", "good"],
            "systems": {"model": {"test": scores}},
            "intention": section,
            **more,
        }
        folder = RunFolder(tmp_path)
        folder.metrics.write_text(json.dumps(metrics))
        if table is not None:
            table.to_parquet(folder.predictions("intention_test"))
        page = write_report(folder).read_text(encoding="utf-8")
        return page, " ".join("".join(checked(page).text).split()), metrics

    return write


def some(**changes):
    rng = np.random.default_rng(1)
    names = np.array([f"<b>shopper</b> {n}" for n in range(14)], object)
    subject_n = names[rng.integers(14, size=90)]
    return intention_part(subject_n, rng.random(90) * YEAR + 40 * YEAR, **changes)


def test_the_section_shows_scores_verdict_timelines_and_movers(run):
    table, section = some()
    page, shown, _ = run(section, table)
    assert section["history"]["verdict"] in shown
    value = section["systems"]["model"]["test"]["auc"]["value"]
    assert f"AUC of intention {value:.3f}" in shown
    for wanted in (
        *("Who rises, who falls", "The reviews that moved it", "text alone"),
        *("No last valueNo review has an earlier one.", "cut date 2019-05-06"),
        *("Horizon: 30 days", "follow-up shorter than the horizon", "chance as it"),
        *("Wilson", "(phi)", "(Spearman)", "Below the best possible"),
    ):
        assert wanted in shown, wanted
    assert page.count('<article class="move') == 10
    assert page.count('aria-label="Intention of ') == 6
    assert "Circular" not in shown
    assert "None" not in shown
    assert "nan" not in shown


def test_odd_times_are_told(run):
    table, section = some()
    times = {"subjects": 14, "one_review_subjects": 3, "backwards": 1_205}
    times |= {"same_moment": 0, "long_gaps": 2}
    said = {"data": {"intention": {"times": times}}}
    _, shown, _ = run(section, table, **said)
    assert "1,205 rows older than the row of the same subject" in shown
    assert "3 of 14 subjects with a single review" in shown
    assert "very moment" not in shown


def test_the_page_stands_alone_and_runs_nothing(run):
    page, shown, _ = run(*some()[::-1])
    assert not {"script", "link", "img", "iframe"} & set(checked(page).tags)
    assert EVIL in shown
    assert "<b>shopper</b>" in shown
    assert len(page.encode()) < 600_000
    anchors = set(re.findall(r'<a href="#(\w+)"', page))
    assert {"intention", "timelines"} <= anchors
    assert anchors <= set(re.findall(r'id="(\w+)"', page))
    ids = re.findall(r' id="([^"]+)"', page)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', page))
    assert all(ids.count(name) == 1 for name in used)


def test_the_moves_are_those_of_the_table(run):
    table, section = some()
    _, shown, _ = run(section, table)
    logit_n = table["logit_1"] / section["temperature"]
    table["prob"] = 1 / (1 + np.exp(-logit_n))
    largest = 0.0
    for _, group in table.groupby("subject"):
        probs = group.sort_values("time")["prob"].to_numpy()
        largest = max([largest, *np.abs(np.diff(probs))])
    moved = shown[shown.index("The reviews that moved it") :]
    assert f"{largest:.3f}" in moved[: moved.index("%", 600)]


def test_proxy_rating_is_called_circular_wherever_it_is_shown(run):
    table, section = some(kind="proxy_rating", horizon_days=None)
    _, shown, metrics = run(section, table)
    assert "Circular. This intention (proxy_rating) is the rating" in shown
    assert shown.count("of intention (circular)") == 3
    assert "(circular: the rating of the same review)" in shown
    assert "Horizon" not in shown
    lines = summarise(metrics)
    assert "repurchase (circular)" in lines
    assert "Circular: this intention" in lines


def test_reviews_that_are_each_alone_have_no_timelines(run):
    table, section = intention_part(np.full(40, -1), np.full(40, np.nan), cut=None)
    page, shown, _ = run(section, table)
    assert "What the history adds" in shown
    assert 'id="timelines"' not in page
    assert "#timelines" not in page
    assert "cut date" not in shown


def test_subjects_without_times_are_shown_review_by_review(run):
    table, section = intention_part(np.arange(40) % 6, np.full(40, np.nan))
    page, shown, _ = run(section, table)
    assert page.count('aria-label="Intention of ') == 6
    assert "All subjects" not in shown


def test_without_the_table_the_scores_are_still_there(run):
    page, shown, _ = run(some()[1])
    assert "What the history adds" in shown
    assert 'id="timelines"' not in page


def test_a_run_without_intention_has_no_such_section(run):
    page, _, metrics = run(None)
    assert 'id="intention"' not in page
    assert "ntention" not in summarise(metrics)


def test_the_summary_prints_intention_beside_its_baselines(run):
    _, section = some()
    _, _, metrics = run(section)
    lines = summarise(metrics).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Intention: re"))
    assert lines[start - 1] == ""
    assert lines[start + 1].startswith("BERT-LSTNet-Softmax")
    assert lines[start + 2].startswith("The same model, text alone")
    assert lines[start + 3].startswith("Best that anyone could do")
    assert "No last value: No review has an earlier one." in lines
    assert section["history"]["verdict"] in lines


def test_the_same_run_gives_the_same_page(run):
    table, section = some()
    assert run(section, table)[0] == run(section, table)[0]
