import dataclasses
import html.parser
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.schema import NO_LABEL, InputError, RunFolder

CLASSES = ["bad", "fair", "good"]
EVIL = "<script>alert('x')</script><img src=http://example.com/x.png> & \"so\" it goes"


@dataclasses.dataclass
class Folder:
    """A run's folder, and what was written into it."""

    run: RunFolder
    metrics: dict[str, Any]
    table: pd.DataFrame

    def write(self) -> str:
        """Write everything down, then the report; return its text."""
        self.run.metrics.write_text(json.dumps(self.metrics))
        self.table.to_parquet(self.run.predictions("test"))
        return write_report(self.run).read_text(encoding="utf-8")


def scores(logits_ny, label_n, classes=CLASSES):
    return classification_metrics(
        probabilities(logits_ny, 1.7), label_n, classes, bootstrap_samples=9, seed=0
    )


TOKENS = {
    "mean": 21.5,
    "median": 20,
    "p95": 60,
    "max": 300,
    "cap": 128,
    "cut_reviews": 2,
    "cut_tokens": 99,
    "histogram": {"edges": [0, 50, 100, 150], "counts": [50, 8, 2]},
}


@pytest.fixture
def folder(tmp_path) -> Folder:
    rng = np.random.default_rng(0)
    label_n = rng.integers(3, size=60)
    logits_ny = rng.normal(size=(60, 3)) + 2 * np.eye(3)[label_n]
    logits_ny[0], label_n[0] = (9, 0, 0), 2  # the surest mistake of all
    table = pd.DataFrame(
        {
            "review": np.arange(60) + 400,
            "label": label_n,
            "tokens": 12,
            "text": [EVIL, *[f"text number {n}" for n in range(59)]],
        }
        | {f"logit_{y}": logits_ny[:, y] for y in range(3)}
    )
    split = {"rows": 60, "classes": {"bad": 21, "good": 39}}
    metrics = {
        "name": "a <b>run</b>",
        "created": "2026-02-03T04:05:06Z",
        "classes": CLASSES,
        "label_map": "1 star is bad, 5 stars are good.",
        "temperature": 1.7,
        "data": {
            "rows": 12_345,
            "accepted": 12_300,
            "rejected": {"the text is empty": 45},
            "left_out": {"three stars": 7},
            "duplicates": {"exact": 3, "near": 4},
            "splits": {"train": split, "test": split},
            "tokens": TOKENS,
        },
        "systems": {
            "majority": {"test": scores(np.zeros((60, 3)), label_n)},
            "model": {
                "test": scores(logits_ny, label_n),
                "uncalibrated": scores(logits_ny * 1.7, label_n),
            },
            "tfidf_logistic_regression": {"test": scores(logits_ny / 2, label_n)},
        },
        "training": {
            "steps": 30,
            "epochs": 2,
            "seconds": 252.4,
            "best_step": 20,
            "reviews_per_second": 99.5,
            "parameters": {"encoder": 1_000_001},
        },
        "environment": {"python": "3.11.9", "device": "a fast one"},
        "config": {"data": {"path": "</pre><script>"}},
    }
    run = RunFolder(tmp_path)
    log = [{"kind": "train", "step": s, "loss": 1 / s} for s in range(1, 31)]
    log += [{"kind": "validation", "step": 20, "loss": 0.5, "macro_f1": 0.6}]
    run.log.write_text("\n".join(map(json.dumps, log)) + '\n{"kind": "tra')
    rejected = {"row": 4, "file": "a.csv", "line": 6, "field": "stars"}
    rejected |= {"reason": "no <number>", "value": "x" * 5000}
    run.rejected.write_text((json.dumps(rejected) + "\n") * 50)
    return Folder(run, metrics, table)


class Checker(html.parser.HTMLParser):
    """Notes tags, links and whether every element is closed in order."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_the_page_stands_alone(folder):
    page = folder.write()
    checker = checked(page)
    assert not {"script", "link", "img", "iframe"} & set(checker.tags)
    assert all(link.startswith("#") for link in checker.links)
    assert "@import" not in page
    assert "url(http" not in page
    assert len(page.encode()) < 600_000


def test_texts_of_strangers_are_shown_and_never_run(folder):
    checker = checked(folder.write())
    shown = "".join(checker.text)
    assert EVIL in shown
    assert "no <number>" in shown
    assert "a <b>run</b>" in shown
    assert "</pre><script>" in shown


def test_links_within_the_page_lead_somewhere(folder):
    page = folder.write()
    anchors = set(re.findall(r'<a href="#(\w+)"', page))
    assert {"scores", "data", "mistakes"} <= anchors
    assert anchors <= set(re.findall(r'id="(\w+)"', page))


def test_every_figure_is_there(folder):
    page = folder.write()
    assert page.count("<svg ") == 7


def test_the_headline_sets_the_score_beside_its_baselines(folder):
    folder.metrics["best_possible"] = {"accuracy": 0.987}
    shown = " ".join("".join(checked(folder.write()).text).split())
    headline = shown[: shown.index("How to read")]
    for system in ("model", "majority", "tfidf_logistic_regression"):
        value = folder.metrics["systems"][system]["test"]["macro_f1"]["value"]
        assert f"{value:.3f}" in headline
    assert "best possible 0.987" in headline


def test_a_paired_difference_is_shown_and_doubted_when_it_spans_zero(folder):
    folder.metrics["differences"] = {
        "tfidf_logistic_regression": {
            "macro_f1": {"value": 0.0, "low": -0.0123, "high": 0.0456}
        }
    }
    page = folder.write()
    assert "−0.012 to +0.046; may be chance" in page


def test_mistakes_come_surest_first_and_cut_short(folder):
    folder.table.loc[folder.table.index[0], "text"] = "y" * 2000
    page = folder.write()
    first = page[page.index('<article class="mistake">') :]
    first = first[: first.index("</article>")]
    assert "row 400" in first
    assert "y" * 599 + "…" in first
    confidences = re.findall(r"</strong> with ([\d.]+)%", page)
    wanted = sorted(map(float, confidences), reverse=True)
    assert list(map(float, confidences)) == wanted
    assert len(confidences) <= 20


def test_rows_without_label_are_no_mistakes(folder):
    before = folder.write()
    unknown = folder.table.iloc[:5].assign(label=NO_LABEL, text="unknown", logit_1=99.0)
    folder.table = pd.concat([unknown, folder.table])
    after = folder.write()
    assert after == before


def test_examples_of_rejected_rows_are_few_and_shortened(folder):
    page = folder.write()
    assert page.count("a.csv, line 6") == 20
    assert "x" * 160 not in page
    assert "x" * 159 + "…" in page


def test_rejected_rows_of_every_reason_are_shown_in_turn(folder):
    other = {"row": 90, "file": "b.csv", "line": 91, "field": "", "reason": "no text"}
    with folder.run.rejected.open("a") as lines:
        lines.write((json.dumps(other) + "\n") * 3)
    page = folder.write()
    assert page.count("a.csv, line 6") == 17
    assert page.count("b.csv, line 91") == 3
    assert page.index("b.csv, line 91") < page.rindex("a.csv, line 6")


def test_calibration_errors_come_with_their_intervals(folder):
    score = {"value": 0.0123, "low": 0.0101, "high": 0.0345}
    folder.metrics["systems"]["model"]["test"]["calibration_error"] = score
    assert "Calibration error after</dt><dd>0.012 (0.010–0.035)" in folder.write()


def test_optional_parts_may_be_absent(folder):
    kept = ("name", "classes", "systems", "temperature")
    folder.metrics = {key: folder.metrics[key] for key in kept}
    for system in ("majority", "tfidf_logistic_regression"):
        del folder.metrics["systems"][system]
    del folder.metrics["systems"]["model"]["uncalibrated"]
    folder.table = folder.table.drop(columns="text")
    folder.run.log.unlink()
    folder.run.rejected.unlink()
    checker = checked(folder.write())
    assert "row 400" in " ".join(checker.text)


def test_a_run_without_predictions_still_has_its_tables(folder):
    folder.write()
    folder.run.predictions("test").unlink()
    page = write_report(folder.run).read_text()
    assert "Class by class" in page
    assert "<article" not in page


def test_undefined_scores_are_dashes(folder):
    one_class = np.ones(60, int)
    test = scores(folder.table.filter(like="logit").to_numpy(), one_class)
    folder.metrics["systems"]["model"]["test"] = test
    folder.table["label"] = 1
    shown = "".join(checked(folder.write()).text)
    assert "–" in shown
    assert "None" not in shown


def test_old_figures_are_called_old(folder):
    assert "Old figures" not in folder.write()
    folder.table = folder.table.iloc[:-1]
    assert "Old figures" in folder.write()


def test_a_threshold_decides_the_answers(folder):
    label_n = np.array([0, 1] * 30)
    logits_ny = np.where(label_n[:, None] == 1, [0.4, 0.0], [2.0, 0.0])
    classes = ["no", "yes"]
    test = classification_metrics(
        probabilities(logits_ny, 1.0),
        label_n,
        classes,
        bootstrap_samples=0,
        seed=0,
        predicted_n=label_n,
    )
    folder.metrics |= {"classes": classes, "temperature": 1.0, "threshold": 0.3}
    folder.metrics["systems"] = {"model": {"test": test}}
    folder.metrics["data"]["splits"] = {}
    folder.table = pd.DataFrame({"review": np.arange(60), "label": label_n})
    folder.table[["logit_0", "logit_1"]] = logits_ny
    page = folder.write()
    assert "yes from 0.300" in page
    assert "<article" not in page  # by argmax, every yes would be a mistake
    assert "Old figures" not in page


def test_a_run_that_was_not_evaluated_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="has no scores yet"):
        write_report(RunFolder(tmp_path))


def test_scores_that_are_not_readable_are_named(tmp_path):
    run = RunFolder(tmp_path)
    run.metrics.write_text('{"name": ')
    with pytest.raises(InputError, match=r"metrics\.json"):
        write_report(run)


def test_the_same_run_gives_the_same_page(folder):
    assert folder.write() == folder.write()
