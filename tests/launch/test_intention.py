"""Intention as users meet it: train, evaluate, predict one row a subject, and alone."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
from reviewintent_jax.schema import RunFolder
from tests.launch.test_commands import launch, small_flags

pytestmark = pytest.mark.slow
TINY = (
    "--config.pages.page_tokens=128",
    "--config.pages.max_tokens=32",
    "--config.pages.slots=16",
    "--config.history.lstnet.channels=4",
    "--config.history.lstnet.recurrent_features=6",
    "--config.history.lstnet.summary_features=7",
    "--config.evaluation.threshold=argmax",
)
TARGET = "probability_repurchase"


@pytest.fixture(scope="module")
def trained(tiny_encoder, tmp_path_factory):
    """A run on the histories of the shop, a window of three."""
    workdir = tmp_path_factory.mktemp("runs") / "intention"
    done = launch(
        "train",
        "--config=configs/shop_intention.py",
        f"--workdir={workdir}",
        *small_flags(tiny_encoder),
        *TINY,
        "--config.data.shop_rows=900",
        "--config.intention.window=3",
    )
    return RunFolder(workdir), done


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """New reviews without an answer, in no order; one without subject, one time bad."""
    rows = list(simulate_shop(BazaarSpec(rows=60, seed=31)))
    columns = ("user_id", "time", "title", "text", "stars")
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in rows])
    frame.loc[3, "user_id"] = ""
    frame["time"] = frame["time"].astype(str)
    frame.loc[5, "time"] = "some day"
    path = tmp_path_factory.mktemp("new") / "new.csv"
    frame.sample(frac=1, random_state=1).to_csv(path, index=False)
    return path


def test_training_scores_sentiment_and_intention(trained):
    run, done = trained
    metrics = json.loads(run.metrics.read_text())
    section = metrics["intention"]
    assert (section["kind"], section["window"]) == ("repurchase", 3)
    assert {"model", "text_only", "majority"} <= section["systems"].keys()
    assert section["best_possible"]["auc"] > 0.5
    assert "Intention: repurchase" in done.stdout.decode()
    assert 'id="intention"' in run.report.read_text()
    # The score can be computed again from the table of predicted anchors.
    anchors = pd.read_parquet(run.predictions("intention_test"))
    known = anchors[anchors["label"] >= 0]
    right = (known["logit_1"] > known["logit_0"]) == (known["label"] == 1)
    said = section["systems"]["model"]["test"]["accuracy"]["value"]
    assert right.mean() == pytest.approx(said)


def test_evaluating_again_gives_the_same_intention(trained):
    run, _ = trained
    before = json.loads(run.metrics.read_text())["intention"]
    launch("evaluate", f"--workdir={run.root}")
    after = json.loads(run.metrics.read_text())["intention"]
    assert after["systems"]["model"] == before["systems"]["model"]
    assert after["temperature"] == before["temperature"]


def test_every_subject_gets_one_row_with_its_horizon(trained, table, tmp_path):
    run, _ = trained
    out = tmp_path / "subjects.csv"
    done = launch(
        "predict", f"--workdir={run.root}", f"--input={table}", f"--subjects={out}"
    )
    subjects = pd.read_csv(out)
    rows = pd.read_csv(table)
    usable = rows[rows["user_id"].notna() & (rows["time"] != "some day")]
    assert sorted(subjects["subject"]) == sorted(usable["user_id"].unique())
    assert (subjects["horizon_days"] == 30).all()
    total = subjects["probability_no repurchase"] + subjects[TARGET]
    np.testing.assert_allclose(total, 1, atol=1e-6)
    said = done.stderr.decode()
    assert "no subject" in said
    assert "time not understood" in said


def test_the_order_of_the_file_does_not_matter(trained, table, tmp_path):
    run, _ = trained
    ordered = tmp_path / "ordered.csv"
    pd.read_csv(table).sort_values(["user_id", "time"]).to_csv(ordered, index=False)
    found = []
    for path in (table, ordered):
        out = tmp_path / f"{path.stem}_subjects.parquet"
        flags = f"--workdir={run.root}", f"--input={path}", f"--subjects={out}"
        launch("predict", *flags)
        found.append(pd.read_parquet(out).set_index("subject")[TARGET].sort_index())
    pd.testing.assert_series_equal(*found, atol=1e-5)


def test_intention_alone(tiny_encoder, tmp_path):
    path, workdir = tmp_path / "tweets.csv", tmp_path / "alone"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "class"])
        for row in simulate_shop(BazaarSpec(rows=200, seed=9)):
            name = "yes" if row["stars"] > 4 else "no" if row["stars"] < 4 else "PI"
            writer.writerow([row["text"], name])
    done = launch(
        "train",
        "--config=configs/purchase_intent_tweets.py",
        f"--config.data.path={path}",
        "--config.intention.labels.classes=('no','yes')",
        f"--workdir={workdir}",
        *small_flags(tiny_encoder),
        *TINY,
    )
    run = RunFolder(workdir)
    metrics = json.loads(run.metrics.read_text())
    assert metrics["intention"]["classes"] == ["no", "yes"]
    assert metrics["systems"] == {}
    assert "Intention: yes" in done.stdout.decode()
    assert 'id="scores"' not in run.report.read_text()
    launch("evaluate", f"--workdir={workdir}")
