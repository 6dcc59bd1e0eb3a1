"""Intention as users meet it: train, evaluate, predict one row a subject, and alone."""

import csv
import datetime
import json

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
from reviewintent_jax.schema import RunFolder
from tests.launch.test_commands import ROOT, launch, small_flags

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


def test_every_field_is_told_in_the_page_on_formats(trained, odd):
    run, _ = trained
    metrics = json.loads(run.metrics.read_text())
    asked, prepared = metrics["intention"], metrics["data"]["intention"]
    anchors = pd.read_parquet(run.predictions("intention_test"))
    log = [json.loads(line) for line in run.log.read_text().splitlines()]
    fields = [*asked, *prepared, *prepared["times"], *asked["systems"]]
    fields += [*asked["history"], *asked["sentiment_correlation"]]
    fields += [*asked["shuffled"], *asked["best_possible"]]
    fields += json.loads(run.model.read_text())["intention"].keys()
    fields += [*anchors.columns, *odd[0].reset_index().columns, *set().union(*log)]
    told = (ROOT / "docs" / "formats.md").read_text("utf-8")
    families = ("probability_", "logit_")  # told with their class: `probability_CLASS`
    for field in fields:
        assert f"`{field}`" in told or any(each in field for each in families), field


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
    assert set(subjects["subject"]) == set(rows["user_id"].dropna())
    subjects = subjects[subjects["problem"].isna()]
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


ODD = [  # subject, time, text; the rows of a file that somebody else kept
    ("back", "2014-03-09T10:00:00Z", "It broke after a week"),
    ("back", "2014-01-05T10:00:00Z", "Great tea and quick delivery"),
    ("back", "2014-02-07T10:00:00Z", "Fine"),
    ("zones", "2014-01-05T02:00:00-08:00", "Great tea and quick delivery"),
    ("zones", "2014/2/7 10:00", "Fine"),  # without a zone: UTC
    ("zones", "2014-03-09 19:00 JST", "It broke after a week"),
    ("equal", "2014-03-09T10:00:00Z", "Great tea and quick delivery"),
    ("equal", "2014-03-09T12:00:00+02:00", "It broke after a week"),
    ("years", "1999-05-05", "Great tea and quick delivery"),
    ("years", "2014-03-09", "It broke after a week"),
    ("once", "2014-03-09", "Fine"),
    ("never", "AHEAD", "Great tea and quick delivery"),
    ("never", "", "Great tea and quick delivery"),
    ("never", "2014-03-09 12:00 XYZ", "Great tea and quick delivery"),
    ("", "2014-03-09", "Great tea and quick delivery"),
]


@pytest.fixture(scope="module")
def odd(trained, tmp_path_factory):
    """One row a subject of a file of unknown people and odd times, and what is said."""
    run, _ = trained
    folder = tmp_path_factory.mktemp("odd")
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=400)
    frame = pd.DataFrame(ODD, columns=["who", "when", "text"])
    frame["when"] = frame["when"].replace("AHEAD", ahead.isoformat())
    frame["stars"] = frame["text"].map({"Fine": 3}).fillna(5)
    frame.to_csv(folder / "odd.csv", index=False)
    flags = f"--workdir={run.root}", f"--input={folder / 'odd.csv'}"
    flags += (f"--subjects={folder / 'subjects.csv'}", "--subject=who")
    refused = launch("predict", *flags, check=False)
    done = launch("predict", *flags, "--time=when")
    subjects = pd.read_csv(folder / "subjects.csv").set_index("subject")
    return subjects, done.stderr.decode(), refused


def test_people_the_model_never_saw_have_an_answer_even_with_one_review(odd):
    subjects, said, _ = odd
    never = subjects.loc["never"]
    reasons = "time not understood (1)", "dated in the future (1)", "no time (1)"
    assert set(never["problem"].split(", ")) == set(reasons)
    assert never["reviews"] == 0
    assert "1 of them without an answer" in said
    subjects = subjects.drop("never")
    assert subjects.index.tolist() == ["back", "zones", "equal", "years", "once"]
    assert np.isfinite(subjects[TARGET]).all()
    assert subjects["reviews"].tolist() == [3, 3, 2, 2, 1]
    assert "1 of 5 subjects with a single review" in said


def test_times_backwards_and_in_zones_are_one_order(odd):
    subjects, said, _ = odd
    last = subjects["last_time"]
    assert last["back"] == last["zones"] == last["equal"] == "2014-03-09T10:00:00Z"
    assert subjects[TARGET]["back"] == pytest.approx(subjects[TARGET]["zones"])
    assert "1 rows older than the row of the same subject before them" in said


def test_equal_times_and_gaps_of_years_are_counted(odd):
    _, said, _ = odd
    assert "1 reviews at the very moment of the subject's review before" in said
    assert "1 gaps of more than 2 years" in said


def test_rows_of_no_history_are_counted_by_reason(odd):
    _, said, _ = odd
    for reason in ("dated in the future", "no time", "time not understood"):
        assert f"1 rows of no history ({reason})" in said
    assert "1 rows of no history (no subject)" in said


def test_a_time_column_of_another_name_is_asked_for_by_its_flag(odd):
    _, _, refused = odd
    assert refused.returncode == 2
    said = refused.stderr.decode()
    assert "no column 'time'" in said
    assert "--time=COLUMN" in said


def test_a_window_of_one_is_the_same_model_without_histories(tiny_encoder, tmp_path):
    workdir = tmp_path / "alone"
    launch(
        "train",
        "--config=configs/shop_intention.py",
        f"--workdir={workdir}",
        *small_flags(tiny_encoder),
        *TINY,
        "--config.data.shop_rows=900",
        "--config.intention.window=1",
    )
    run = RunFolder(workdir)
    section = json.loads(run.metrics.read_text())["intention"]
    assert section["window"] == 1
    assert pd.read_parquet(run.predictions("intention_test"))["steps"].max() == 1
    assert {"text_only", "gradient_boosting"} <= section["systems"].keys()
    launch("results", f"--runs={workdir}", f"--output={tmp_path / 'kept'}")
    page = (tmp_path / "kept" / "intention.md").read_text()
    assert "## shop_intention_window_1" in page
    assert "--config.intention.window=1" in page
    assert (tmp_path / "kept" / "shop_intention_window_1.json").is_file()


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
    out = tmp_path / "scored.csv"
    done = launch(
        "predict", f"--workdir={workdir}", f"--input={path}", f"--output={out}"
    )
    scored = pd.read_csv(out)
    assert len(scored) == 200
    assert set(scored["intention"]) <= {"no", "yes"}
    assert "predicted" not in scored
    assert "200 rows scored" in done.stderr.decode()
    # The same answers as in the run's own table of test predictions.
    kept = pd.read_parquet(run.predictions("intention_test"))
    logit_ny = kept[["logit_0", "logit_1"]] / metrics["intention"]["temperature"]
    wanted = np.exp(logit_ny["logit_1"]) / np.exp(logit_ny).sum(axis=1)
    found = scored["intention_probability_yes"].to_numpy()[kept["row"]]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    launch("evaluate", f"--workdir={workdir}")
