"""What users do with reviews over time, as commands, and the mistakes they make."""

import json
import re

import pandas as pd
import pytest

from reviewintent_jax.evaluation.results import read_results
from reviewintent_jax.schema import RunFolder
from tests.launch.test_commands import launch
from tests.training.test_heading_task import reviews

pytestmark = pytest.mark.slow
CONFIG = "--config=configs/intention_series.py"
GROUPS = ("tea & <b>cake", "milk", "oats")
SMALL = (
    "--config.data.time=when",
    "--config.data.group=product",
    "--config.data.recommending=again",
    "--config.data.period=week",
    "--config.windows.window=4",
    "--config.windows.min_reviews=3",
    "--config.lstnet.channels=3",
    "--config.lstnet.recurrent_features=5",
    "--config.lstnet.highway_window=4",
    "--config.train.epochs=2",
    "--config.evaluation.bootstrap_samples=20",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    path = reviews(folder / "reviews.csv", groups=GROUPS)
    with path.open("a") as file:
        file.write(",2020-02-02,5,1\nmilk,soon,5,1\nmilk,2020-02-03,none,1\n")
    run = RunFolder(folder / "heading")
    done = launch(
        "train",
        CONFIG,
        f"--config.data.path={path}",
        f"--workdir={run.root}",
        "--config.labels.kind=stars",
        *SMALL,
    )
    return run, path, done


def test_training_ends_with_scores_verdicts_and_a_report(trained):
    run, path, done = trained
    said = done.stdout.decode()
    assert "Set aside: 1 (no group)" in said
    assert "Set aside: 1 (time not understood)" in said
    assert "Not in positive: 1 (label is not a number of stars)" in said
    for system in ("LSTNet", "persistence", "AR ridge", "majority", "logistic"):
        assert re.search(rf"^  {system}.* \d\.\d{{3}}", said, re.MULTILINE)
    for measure in ("positive", "recommending", "log_volume"):
        assert re.search(
            rf"^{measure}: the model (beats|cannot be told from|is worse than) "
            "persistence",
            said,
            re.MULTILINE,
        )
    assert said.rstrip().endswith(f"Report: {run.report}")
    lines = [json.loads(line) for line in run.rejected.read_text().splitlines()]
    assert [line["field"] for line in lines] == ["product", "when", "stars"]
    assert {line["file"] for line in lines} == {str(path)}
    page = run.report.read_text()
    assert "tea &amp; &lt;b&gt;cake" in page
    assert "<b>cake" not in page
    assert not re.search(r"(src|href)=.?http|url\((?!#)|<script", page)
    assert page.count("<svg") == 4
    assert "What comes next" in page


def test_evaluating_again_gives_the_same_scores(trained):
    run, _, _ = trained
    before = json.loads(run.metrics.read_text())
    done = launch("evaluate", f"--workdir={run.root}")
    after = json.loads(run.metrics.read_text())
    assert after["systems"] == before["systems"]
    assert b"majority" in done.stdout


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_each_group_and_measure_has_a_row(trained, tmp_path, ending):
    run, _, _ = trained
    out = tmp_path / f"heading.{ending}"
    done = launch("predict", f"--workdir={run.root}", f"--output={out}")
    said = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert len(said) == 9
    assert set(said["group"]) == set(GROUPS)
    assert said.columns.tolist()[:6] == [
        *("group", "measure", "reviews", "last_period", "last_value", "horizon")
    ]
    assert (said["forecast_period"] > said["last_period"]).all()
    assert said["direction"].isin(["falling", "steady", "rising"]).all()
    assert b"forecast for 3 group(s)" in done.stderr


def test_newer_reviews_with_another_group_are_answered_from_their_own_end(
    trained, tmp_path
):
    run, _, _ = trained
    path = reviews(tmp_path / "newer.csv", days=300, groups=("cocoa", "milk"))
    out = tmp_path / "out.csv"
    words = (f"--input={path}", f"--output={out}")
    done = launch("predict", f"--workdir={run.root}", *words)
    said = pd.read_csv(out)
    assert set(said["group"]) == {"cocoa", "milk"}
    assert (said["last_period"] > "2020-10-15").all()
    assert b"Data: " in done.stderr


def test_newer_reviews_need_the_columns_of_the_old(trained, tmp_path):
    run, path, _ = trained
    odd = tmp_path / "odd.csv"
    pd.read_csv(path).rename(columns={"stars": "rating"}).to_csv(odd, index=False)
    words = (f"--input={odd}", f"--output={tmp_path / 'out.csv'}")
    done = launch("predict", f"--workdir={run.root}", *words, check=False)
    assert done.returncode == 2
    assert b"There is no column 'stars' (named as the positive)" in done.stderr
    assert b"must be called when, product, stars, again" in done.stderr
    assert b"--config" not in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("train", [CONFIG], b"table to read is not named"),
        (
            "train",
            [CONFIG, "--config.data.period=year"],
            b"Choose of: day, week, month",
        ),
        (
            "evaluate",
            ["--data=other.csv"],
            b"This is a run on reviews over time, which is scored on its own data; "
            b"--data does not apply",
        ),
        ("predict", ["--output=x.csv", "--text=review"], b"--text does not apply"),
        ("predict", ["--output=-", "--input=-"], b"read from a file"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(trained, tmp_path, command, flags, said):
    run, _, _ = trained
    folder = tmp_path / "new" if command == "train" else run.root
    done = launch(command, f"--workdir={folder}", *flags, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_wrong_column_is_named_and_leaves_no_run(trained, tmp_path):
    _, path, _ = trained
    done = launch(
        "train",
        CONFIG,
        f"--config.data.path={path}",
        f"--workdir={tmp_path / 'run'}",
        *SMALL,
        "--config.data.group=produkt",
        check=False,
    )
    assert done.returncode == 2
    assert b"There is no column 'produkt' (named as the group)" in done.stderr
    assert b"Did you mean 'product'?" in done.stderr
    assert not list((tmp_path / "run").iterdir())


def test_results_are_kept_beside_the_command(trained, tmp_path):
    run, _, _ = trained
    launch("results", f"--runs={run.root}", f"--output={tmp_path}")
    page = (tmp_path / "series.md").read_text()
    assert "python -m launch.train --config=configs/intention_series.py" in page
    assert "| LSTNet | 0." in page
    assert "- log_volume: the model" in page
    kept = json.loads((tmp_path / "intention_series.json").read_text())
    assert kept == read_results([run])[0]
