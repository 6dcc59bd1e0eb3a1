"""What users do: train, evaluate, predict, as commands, and the mistakes they make."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import chex
import jax
import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.build import load_trained
from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.schema import RunFolder

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SMALL = {
    "pages": {"page_tokens": 64, "chunk_tokens": 64, "max_tokens": 64, "slots": 8},
    "lstnet": {
        "kernel_sizes": "(2,3)",
        "channels": 5,
        "recurrent_features": 7,
        "recurrent_layers": 1,
        "skip_period": 4,
        "skip_features": 3,
        "highway_window": 6,
        "summary_features": 9,
    },
    "train": {"epochs": 1, "max_steps": 4, "log_every_steps": 2},
    "evaluation": {
        "batch_pages": 4,
        "bootstrap_samples": 20,
        "threshold": "validation",
    },
}


def launch(module, *words, stdin=None, check=True):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "HF_HUB_OFFLINE": "1",
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
    }
    done = subprocess.run(
        [sys.executable, "-m", f"launch.{module}", *words],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environment,
        timeout=300,
    )
    if check:
        assert done.returncode == 0, done.stderr.decode()
    return done


def small_flags(encoder):
    flags = [f"--config.encoder.source={encoder}"]
    for group, fields in SMALL.items():
        flags += [f"--config.{group}.{name}={v}" for name, v in fields.items()]
    return flags


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A shopper's own CSV: other column names, a malformed row, an empty text."""
    path = tmp_path_factory.mktemp("mine") / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review", "rating"])
        for i, row in enumerate(simulate_shop(BazaarSpec(rows=160, seed=5))):
            writer.writerow([i, row["text"], row["stars"]])
        writer.writerow(["160", "", "5"])
        writer.writerow(["161", "one", "2", "too many"])
    return path


@pytest.fixture(scope="module")
def trained(table, tiny_encoder, tmp_path_factory):
    """A run trained by the command of the README, with everything smaller."""
    workdir = tmp_path_factory.mktemp("runs") / "mine"
    done = launch(
        "train",
        "--config=configs/table.py",
        f"--config.data.path={table}",
        "--config.data.text=review",
        "--config.data.label=rating",
        f"--workdir={workdir}",
        *small_flags(tiny_encoder),
    )
    return RunFolder(workdir), done


def test_training_says_how_labels_were_read_and_ends_with_score_and_report(trained):
    run, done = trained
    said = done.stdout.decode()
    assert re.search(r"Labels: stars 1, 2 -> negative \(\d+ rows\)", said)
    assert "3 left out" in said
    for system in ("BERT-LSTNet-Softmax", "TF-IDF + logistic regression", "Majority"):
        assert system in said
    assert said.rstrip().endswith(f"Report: {run.report}")
    # No terminal: plain lines instead of a bar.
    assert re.search(r"train step 2, .*loss \d", done.stderr.decode())
    assert re.search(r"Scoring test: \d+ of \d+ reviews", done.stderr.decode())
    assert done.stderr.decode().count("\nBaseline: ") == 2


def test_a_run_leaves_all_its_files(trained, table):
    run, _ = trained
    metrics = json.loads(run.metrics.read_text())
    assert metrics["data"]["rejected"]["no text"] == 1
    assert metrics["training"]["steps"] == 4
    assert metrics["config"]["data"]["text"] == "review"
    lines = [json.loads(line) for line in run.rejected.read_text().splitlines()]
    odd = next(line for line in lines if line["reason"].startswith("too many"))
    assert odd["file"] == str(table)
    assert odd["line"] == len(table.read_text().splitlines())
    assert run.report.stat().st_size < 600_000
    assert list(run.tensorboard.iterdir())
    predictions = pd.read_parquet(run.predictions("test"))
    assert len(predictions) == metrics["data"]["splits"]["test"]["rows"]
    gap = predictions["logit_1"] - predictions["logit_0"]
    positive = 1 / (1 + np.exp(-gap / metrics["temperature"]))
    accuracy = ((positive >= metrics["threshold"]) == predictions["label"]).mean()
    said = metrics["systems"]["model"]["test"]["accuracy"]["value"]
    assert accuracy == pytest.approx(said)


def test_the_same_command_again_changes_nothing(trained, table, tiny_encoder):
    run, _ = trained
    before = run.predictions("test").read_bytes()
    launch(
        "train",
        "--config=configs/table.py",
        f"--config.data.path={table}",
        "--config.data.text=review",
        "--config.data.label=rating",
        f"--workdir={run.root}",
        *small_flags(tiny_encoder),
    )
    assert run.predictions("test").read_bytes() == before


def test_evaluating_again_gives_the_same_scores(trained):
    run, _ = trained
    before = json.loads(run.metrics.read_text())["systems"]
    launch("evaluate", f"--workdir={run.root}")
    after = json.loads(run.metrics.read_text())["systems"]
    assert after["model"] == before["model"]
    assert after["majority"] == before["majority"]
    metrics, model = (json.loads(f.read_text()) for f in (run.metrics, run.model))
    assert metrics["threshold"] == model["threshold"]


def test_another_model_in_the_same_folder_is_refused_and_harms_nothing(
    trained, table, tiny_encoder
):
    run, _ = trained
    kept = run.config.read_bytes(), run.metrics.read_bytes()
    done = launch(
        "train",
        "--config=configs/table.py",
        f"--config.data.path={table}",
        "--config.data.text=review",
        "--config.data.label=rating",
        f"--workdir={run.root}",
        *small_flags(tiny_encoder),
        "--config.lstnet.channels=4",
        check=False,
    )
    assert done.returncode == 2
    assert b"model.lstnet.channels: 5 then, 4 now" in done.stderr
    assert (run.config.read_bytes(), run.metrics.read_bytes()) == kept


def test_other_data_are_evaluated_beside_the_run(trained, table, tmp_path):
    run, _ = trained
    other = tmp_path / "other.jsonl"
    shop = simulate_shop(BazaarSpec(rows=60, seed=11))
    rows = [{"review": r["text"], "rating": r["stars"]} for r in shop]
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    launch("evaluate", f"--workdir={run.root}", f"--data={other}")
    (root,) = (run.root / "evaluation").iterdir()
    assert "other.jsonl" in root.name
    folder = RunFolder(root)
    metrics = json.loads(folder.metrics.read_text())
    wanted = sum(row["rating"] != 3 for row in rows)
    assert metrics["systems"]["model"]["test"]["n"] == wanted
    assert metrics["systems"]["tfidf_logistic_regression"]["test"]["n"] == wanted
    assert folder.report.is_file()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "csv.gz"])
def test_predictions_keep_rows_order_and_columns(trained, table, tmp_path, ending):
    run, _ = trained
    out = tmp_path / f"scored.{ending}"
    launch("predict", f"--workdir={run.root}", f"--input={table}", f"--output={out}")
    read = {"jsonl": lambda p: pd.read_json(p, lines=True), "parquet": pd.read_parquet}
    scored = read.get(ending, pd.read_csv)(out)
    assert scored["id"].astype(int).tolist() == list(range(162))
    assert list(scored.columns) == [
        *("id", "review", "rating", "predicted"),
        *("probability_negative", "probability_positive", "problem"),
    ]
    good = scored.iloc[:160]
    total = good["probability_negative"] + good["probability_positive"]
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert scored["predicted"].iloc[160:].isna().all()
    assert scored["problem"].iloc[160] == "no text"
    assert scored["problem"].iloc[161].startswith("too many fields")


def test_predictions_equal_those_of_the_evaluation(trained, table, tmp_path):
    run, _ = trained
    out = tmp_path / "scored.parquet"
    launch("predict", f"--workdir={run.root}", f"--input={table}", f"--output={out}")
    scored = pd.read_parquet(out)
    test = pd.read_parquet(run.predictions("test"))
    chosen = json.loads(run.model.read_text())
    gap = (test["logit_1"] - test["logit_0"]) / chosen["temperature"]
    ours = scored["probability_positive"].iloc[test["row"]]
    np.testing.assert_allclose(ours, 1 / (1 + np.exp(-gap)), atol=1e-5)
    answered = scored[scored["predicted"].notna()]
    positive = answered["probability_positive"] >= chosen["threshold"]
    wanted = np.where(positive, "positive", "negative")
    np.testing.assert_array_equal(answered["predicted"], wanted)


def test_predictions_pass_through_a_pipe(trained, table):
    run, _ = trained
    piped = launch(
        "predict",
        f"--workdir={run.root}",
        *("--input=-", "--output=-", "--format=csv"),
        stdin=table.read_bytes(),
    )
    scored = pd.read_csv(io.BytesIO(piped.stdout))
    assert len(scored) == 162
    assert b"162 rows scored" in piped.stderr


def test_a_trained_encoder_is_exported_and_read_again(trained, tmp_path):
    run, _ = trained
    launch("export", f"--workdir={run.root}", f"--output={tmp_path / 'mine'}")
    read = load_encoder(str(tmp_path / "mine"), sha256="").params
    kept = load_trained(run).params["encoder"]
    chex.assert_trees_all_equal(
        {part: tree for part, tree in read.items() if part in kept},
        jax.device_get(kept),
    )
    assert ReviewTokenizer(tmp_path / "mine").vocab_size


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("train", [], "No config was named"),
        ("train", ["--config=configs/table.py"], "table to read is not named"),
        (
            "train",
            ["--config=configs/table.py", "--config.data.path={table}"],
            "no column 'text'.*review",
        ),
        (
            "train",
            ["--config=configs/table.py", "--config.data.path={table}x"],
            "reviews.csv",
        ),
        (
            "train",
            ["--config=configs/table.py", "--config.train.epoch=3"],
            "There is no setting 'epoch'. Did you mean \"epochs\"",
        ),
        (
            "train",
            ["--config=configs/table.py", "--config.train.epochs=abc"],
            "epochs=abc: invalid",
        ),
        ("train", ["--config=configs/table.py", "--confg.x=1"], "Did you mean: config"),
        ("train", ["--config=configs/demo.py", "--workdir={table}"], "cannot be made"),
        ("export", ["--workdir={run}", "--output={table}"], "exists already"),
        ("train", ["--config=configs/nope.py"], "config file cannot be read.*nope.py"),
        ("evaluate", ["--workdir={nowhere}"], "holds no finished run"),
        ("predict", ["--workdir={run}", "--input={table}"], "--output is missing"),
        (
            "predict",
            [
                "--workdir={run}",
                "--input={table}",
                "--output={nowhere}.csv",
                "--text=revue",
            ],
            "Did you mean 'review'.*--text=COLUMN",
        ),
        (
            "predict",
            ["--workdir={run}", "--input={table}", "--output={table}"],
            "overwrite the input",
        ),
    ],
)
def test_mistakes_are_answered_in_a_sentence(
    trained, table, tmp_path, module, words, said
):
    run, _ = trained
    known = {"table": table, "run": run.root, "nowhere": tmp_path / "nowhere"}
    words = [word.format(**known) for word in words]
    if module == "train":
        words.insert(1, f"--workdir={tmp_path / 'run'}")
    done = launch(module, *words, check=False)
    assert done.returncode != 0
    assert re.search(f"(?s){said}", done.stderr.decode())
    assert "Traceback" not in done.stderr.decode()
