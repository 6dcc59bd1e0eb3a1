"""What users do with declared sources, as commands, and the mistakes they make."""

import json
import re

import pandas as pd
import pytest

from reviewintent_jax.evaluation.results import read_results
from reviewintent_jax.schema import RunFolder
from tests.data.purchases import CUTS, write_customers, write_purchases
from tests.launch.test_commands import launch

pytestmark = pytest.mark.slow
CONFIG = "--config=configs/msdp.py"
SMALL = (
    "--config.data.subject=who",
    "--config.data.categories=('land',)",
    "--config.data.numbers=('age',)",
    "--config.events.subject=who",
    "--config.events.time=when",
    "--config.events.order=order",
    "--config.events.item=item",
    "--config.events.value=price",
    "--config.events.quantity=count",
    "--config.events.targets=('purchase',)",
    "--config.events.recent=4",
    f"--config.cuts.dates={CUTS}",
    "--config.targets.horizon_days=60",
    "--config.targets.intent=events",
    "--config.targets.value=events",
    "--config.targets.time=events",
    "--config.targets.interval_days=(10.0, 30.0, 60.0)",
    "--config.lstnet.channels=3",
    "--config.lstnet.recurrent_features=5",
    "--config.network.features=7",
    "--config.train.epochs=2",
    "--config.evaluation.bootstrap_samples=10",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    cases = write_customers(folder / "customers.csv", customers=120)
    events = write_purchases(folder / "purchases.csv", customers=120)
    with events.open("a") as file:
        file.write(",2020-02-02,x,I0,1,1,\n")
    run = RunFolder(folder / "run")
    paths = f"--config.data.path={cases}", f"--config.events.path={events}"
    done = launch("train", CONFIG, *paths, f"--workdir={run.root}", *SMALL)
    return run, paths, done


def test_training_ends_with_scores_verdicts_and_a_report(trained):
    run, _, done = trained
    said = done.stdout.decode()
    assert "Set aside: 1 (no subject)" in said
    for system in ("MSDP-Net", "behaviour alone", "Kaplan-Meier", "user mean"):
        assert re.search(rf"^  {system}.* \d\.\d{{3}}", said, re.MULTILINE)
    assert re.search(r"^whether: MSDP-Net (beats|cannot be told|is worse)", said, re.M)
    assert "Fusion weights, mean over complete test cases: behaviour 0." in said
    lines = [json.loads(line) for line in run.rejected.read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["no subject"]
    page = run.report.read_text()
    assert not re.search(r"(src|href)=.?http|url\((?!#)|<script", page)
    assert page.count("<svg") == 5  # weights, by land, hazards, survival, learning
    table = pd.read_parquet(run.predictions("test"))
    weights = table[["weight_text", "weight_behaviour", "weight_structured"]]
    assert (weights.sum(axis=1).round(5) == 1).all()


def test_evaluating_again_gives_the_same_scores(trained):
    run, _, _ = trained
    before = json.loads(run.metrics.read_text())
    launch("evaluate", f"--workdir={run.root}")
    assert json.loads(run.metrics.read_text())["systems"] == before["systems"]


def test_every_subject_has_a_row_and_newer_events_are_read(trained, tmp_path):
    run, _, _ = trained
    out = tmp_path / "answers.csv"
    launch("predict", f"--workdir={run.root}", f"--output={out}")
    said = pd.read_csv(out)
    assert set(said["subject"]) == {f"C{n}" for n in range(120)} | {"new"}
    assert said["probability"].between(0, 1).all()
    come = said[["came_by_10_days", "came_by_30_days", "came_by_60_days"]].to_numpy()
    assert (come[:, :-1] <= come[:, 1:]).all()
    newer = write_purchases(tmp_path / "newer.csv", customers=3, seed=9)
    words = f"--input={newer}", f"--output={tmp_path / 'newer.parquet'}"
    launch("predict", f"--workdir={run.root}", *words)
    assert len(pd.read_parquet(tmp_path / "newer.parquet")) == 121
    (tmp_path / "who.csv").write_text("who,land,age\nC1,de,33\nnobody yet,fr,50\n")
    words = *words[:1], f"--cases={tmp_path / 'who.csv'}", f"--output={out}"
    launch("predict", f"--workdir={run.root}", *words)
    assert pd.read_csv(out)["subject"].tolist() == ["C1", "nobody yet"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--config.data.numbers=('agee',)"], b"There is no column 'agee'"),
        (["--config.targets.value=age"], b"'age' is the target targets.value and is"),
        (["--config.cuts.dates=('2031-01-01',)"], b"does not lie within the events"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(trained, tmp_path, changes, said):
    _, paths, _ = trained
    words = *paths, f"--workdir={tmp_path / 'new'}", *SMALL, *changes
    done = launch("train", CONFIG, *words, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert not list((tmp_path / "new").glob("*"))


def test_results_are_kept_beside_the_command(trained, tmp_path):
    run, _, _ = trained
    launch("results", f"--runs={run.root}", f"--output={tmp_path}")
    page = (tmp_path / "msdp.md").read_text()
    assert "python -m launch.train --config=configs/msdp.py" in page
    assert "| MSDP-Net | 0." in page
    kept = json.loads((tmp_path / "msdp.json").read_text())
    assert kept == read_results([run])[0]
    assert kept["config"]["events"]["path"] == "purchases.csv"
