"""What users do with a table of numbers, as commands, and the mistakes they make."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.forecast_outcome import Forecast
from tests.launch.test_commands import ROOT, launch

pytestmark = pytest.mark.slow
SMALL = (
    "--config.windows.window=12",
    "--config.windows.horizon=2",
    "--config.lstnet.kernel_sizes=(3,)",
    "--config.lstnet.channels=4",
    "--config.lstnet.recurrent_features=5",
    "--config.lstnet.skip_period=4",
    "--config.lstnet.skip_features=2",
    "--config.lstnet.highway_window=6",
    "--config.train.epochs=2",
    "--config.train.batch_windows=16",
    "--config.evaluation.season=7",
)
NAMES = ["tea & cake", "coffee <b>"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A shop's daily sales, with dates and awkward names."""
    days = pd.date_range("2024-01-01", periods=90)
    t = np.arange(90)
    noise = np.random.default_rng(0).normal(size=(2, 90))
    sales = {
        "day": days.strftime("%Y-%m-%d"),
        NAMES[0]: 20 + 5 * np.sin(t / 7 * 2 * np.pi) + noise[0],
        NAMES[1]: 300 + 2 * t + 9 * noise[1],
    }
    path = tmp_path_factory.mktemp("mine") / "sales.csv.gz"
    pd.DataFrame(sales).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "sales"
    done = launch(
        "train",
        "--config=configs/forecast.py",
        f"--config.data.path={table}",
        f"--workdir={workdir}",
        *SMALL,
    )
    return RunFolder(workdir), done


def test_training_ends_with_scores_beside_the_baselines_a_verdict_and_a_report(trained):
    run, done = trained
    said = done.stdout.decode()
    assert "90 rows of 2 series" in said
    for system in ("LSTNet", "persistence", "seasonal naive", "AR ridge"):
        assert re.search(rf"^{system}.* \d\.\d{{4}}", said, re.MULTILINE)
    assert re.search(r"The model (beats|does not beat) persistence", said)
    assert said.rstrip().endswith(f"Report: {run.report}")
    assert "windows/s" in done.stderr.decode()


def test_scores_are_those_of_the_table_of_forecasts(trained):
    run, _ = trained
    metrics = json.loads(run.metrics.read_text())
    assert metrics["data"]["splits"]["test"]["from"] == "2024-03-13T00:00:00"
    table = pd.read_parquet(run.predictions("test"))
    assert len(table) == 2 * metrics["systems"]["model"]["test"]["n"]
    spread = np.square(table["truth"] - table["truth"].mean()).sum()
    for name, system in metrics["systems"].items():
        error = np.square(table["truth"] - table[name]).sum()
        assert system["test"]["rse"] == pytest.approx(np.sqrt(error / spread))
    naive = table.groupby("series", observed=True)["persistence"].shift(-2)
    known = naive.notna()
    np.testing.assert_array_equal(naive[known], table["truth"][known])


def test_every_field_is_told_in_the_page_on_formats(trained):
    run, _ = trained
    metrics = json.loads(run.metrics.read_text())
    test = metrics["systems"]["model"]["test"]
    table = pd.read_parquet(run.predictions("test"))
    log = [json.loads(line) for line in run.log.read_text().splitlines()]
    fields = [*metrics, *metrics["data"], *metrics["systems"], *test, *metrics["scale"]]
    fields += [*metrics["data"]["splits"]["test"], *test["per_series"][NAMES[0]]]
    fields += [*json.loads(run.model.read_text()), *table.columns, *set().union(*log)]
    fields += [field.name for field in dataclasses.fields(Forecast)]
    told = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for field in fields:
        assert f"`{field}`" in told or field == "windows_per_second", field


def test_evaluating_again_gives_the_same_scores(trained):
    run, _ = trained
    before = json.loads(run.metrics.read_text())["systems"]
    launch("evaluate", f"--workdir={run.root}")
    after = json.loads(run.metrics.read_text())["systems"]
    for system in (before, after):
        del system["ar_ridge"]["seconds"]
    assert after == before


def test_the_same_command_again_changes_no_forecast(trained, table):
    run, _ = trained
    before = run.predictions("test").read_bytes()
    launch(
        "train",
        "--config=configs/forecast.py",
        f"--config.data.path={table}",
        f"--workdir={run.root}",
        *SMALL,
    )
    assert run.predictions("test").read_bytes() == before


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_next_values_are_forecast_from_the_run_s_own_table(
    trained, table, tmp_path, ending
):
    run, _ = trained
    out = tmp_path / f"forecast.{ending}"
    done = launch("predict", f"--workdir={run.root}", f"--output={out}")
    assert b"2 series forecast 2 steps (2024-04-01 00:00:00)" in done.stderr
    read = {"jsonl": lambda p: pd.read_json(p, lines=True), "parquet": pd.read_parquet}
    said = read.get(ending, pd.read_csv)(out)
    assert said["series"].tolist() == NAMES
    assert said["last_time"].astype(str).str.startswith("2024-03-30").all()
    last = pd.read_csv(table).iloc[-1]
    np.testing.assert_allclose(said["last_value"], last[NAMES].astype(float))
    assert np.isfinite(said["forecast"]).all()
    assert (said["usual_error"] > 0).all()


def test_a_newer_table_is_forecast_from_its_own_end(trained, table, tmp_path):
    run, _ = trained
    old = pd.read_csv(table)
    newer = old.iloc[30:80, ::-1]  # shorter, and its columns in another order
    newer.to_csv(tmp_path / "newer.csv", index=False)
    done = launch(
        "predict",
        f"--workdir={run.root}",
        f"--input={tmp_path / 'newer.csv'}",
        "--output=-",
        "--format=csv",
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("series,last_time,last_value,horizon,forecast_time")
    assert [line.split(",")[0] for line in lines[1:]] == NAMES
    assert lines[1].split(",")[1].startswith("2024-03-20")
    # What the evaluation forecast for that day, it forecasts now.
    tested = pd.read_parquet(run.predictions("test"))
    row = tested[(tested["row"] == 81) & (tested["series"] == NAMES[0])]
    assert float(lines[1].split(",")[5]) == pytest.approx(row["model"].item(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename(columns={NAMES[0]: "tee"}), b"There is no column 'tea"),
        (lambda t: t.iloc[:11], b"The table has 11 rows; a forecast reads the last 12"),
        (lambda t: t.iloc[::-1], b"The dates go backwards"),
    ],
)
def test_a_newer_table_that_does_not_fit_is_refused(
    trained, table, tmp_path, change, said
):
    run, _ = trained
    change(pd.read_csv(table)).to_csv(tmp_path / "odd.csv", index=False)
    done = launch(
        "predict",
        f"--workdir={run.root}",
        f"--input={tmp_path / 'odd.csv'}",
        f"--output={tmp_path / 'out.csv'}",
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("train", ["--config=configs/forecast.py"], b"table to read is not named"),
        (
            "train",
            ["--config=configs/forecast.py", "--config.task=forcast"],
            b"config.task cannot be 'forcast'",
        ),
        ("evaluate", ["--data=other.csv"], b"--data does not apply"),
        (
            "predict",
            ["--output=x.csv", "--cases=c.csv"],
            b"This is a forecast; --cases does not apply",
        ),
        ("predict", [], b"--output is missing"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(trained, tmp_path, command, flags, said):
    run, _ = trained
    folder = tmp_path / "new" if command == "train" else run.root
    done = launch(command, f"--workdir={folder}", *flags, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_bad_cell_is_named_and_leaves_no_run(table, tmp_path):
    text = pd.read_csv(table)
    text.loc[40, NAMES[1]] = np.nan
    text.to_csv(tmp_path / "holes.csv", index=False)
    done = launch(
        "train",
        "--config=configs/forecast.py",
        f"--config.data.path={tmp_path / 'holes.csv'}",
        f"--workdir={tmp_path / 'run'}",
        *SMALL,
        check=False,
    )
    assert done.returncode == 2
    assert f"line 42, column {NAMES[1]}".encode() in done.stderr
    assert not list((tmp_path / "run").iterdir())
