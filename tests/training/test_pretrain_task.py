"""Pre-training on the one loop: it learns, it goes on exactly, on any devices."""

import csv

import chex
import jax
import numpy as np
import pytest

from configs import pretrain
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_pretrain import begin_pretrain, build_pretrain
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.pretrain_metrics import (
    frequency_guesses,
    masked_scores,
)
from reviewintent_jax.models.masked_language import MaskedLanguage
from reviewintent_jax.schema import NO_LABEL, InputError, RunFolder
from reviewintent_jax.training.checkpoints import Checkpoints
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.step import make_train_step
from reviewintent_jax.training.tracker import FRESH
from tests.training.first_states import (
    blank_and_batch,
    planned_and_drawn,
)

SUBJECTS = ["чай", "магазин", "товар", "кур'єр", "телефон", "чохол", "сервіс"]
VERDICTS = ["чудовий", "жахливий", "нормальний", "поганий", "супер"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Sentences in which the second half follows from the first."""
    path = tmp_path_factory.mktemp("texts") / "shop.csv"
    rng = np.random.default_rng(1)
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["text", "label"])
        for n in range(160):
            subject, verdict = rng.integers(7), rng.integers(5)
            said = f"{SUBJECTS[subject]} {VERDICTS[verdict]}, {n} раз: "
            said += f"так {VERDICTS[verdict]} {SUBJECTS[subject]}"
            out.writerow([said, n % 2])
    return path


@pytest.fixture
def values(texts):
    config = pretrain.get_config()
    config.name = "tiny"
    config.data.path = str(texts)
    config.labels.kind = "binary"
    config.duplicates.near_threshold = 1.0
    config.tokenizer.update(vocab_size=90, max_piece_length=8)
    config.pages.update(page_tokens=48, chunk_tokens=24, max_tokens=48, slots=5)
    config.encoder.update(
        hidden_size=20, num_layers=2, num_heads=4, intermediate_size=28, max_tokens=30,
        dropout=0.1,
    )  # fmt: skip
    config.optimizer.update(warmup_steps=2, encoder_rate=3e-3, head_rate=3e-3)
    config.train.update(
        batch_pages=6, epochs=2, max_steps=9, checkpoint_every_steps=3,
        validate_every_steps=5, log_every_steps=1,
    )  # fmt: skip
    config.evaluation.update(batch_pages=3, bootstrap_samples=20)
    config.mesh.data = 1
    return plain_values(config)


def ready(values, folder):
    run = RunFolder(folder)
    experiment = build_pretrain(values, run)
    begin_pretrain(experiment, run)
    return experiment, run


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_bitwise_as_one_that_was_not(values, tmp_path):
    whole, run = ready(values, tmp_path / "whole")
    unbroken = train(whole, run)
    values["train"]["max_steps"] = 4
    part, run = ready(values, tmp_path / "part")
    # The same tokenizer: learned twice it would be another one.
    for name in ("tokenizer.json", "tokenizer.facts.json"):
        stored = (tmp_path / "whole" / "tokenizer" / name).read_bytes()
        (run.tokenizer / name).write_bytes(stored)
    part, run = ready(values, tmp_path / "part")
    assert int(train(part, run).state.step) == 4
    values["train"]["max_steps"] = 9
    gone_on, run = ready(values, tmp_path / "part")
    assert gone_on.tokenizer.fingerprint() == whole.tokenizer.fingerprint()
    broken = train(gone_on, run)
    assert int(broken.state.step) == int(unbroken.state.step) == 9
    chex.assert_trees_all_equal(
        jax.device_get(broken.state), jax.device_get(unbroken.state)
    )


def test_other_texts_or_masks_are_another_run(values, tmp_path):
    experiment, run = ready(values, tmp_path / "run")
    with Checkpoints(run, experiment.identity()) as checkpoints:
        state = experiment.first_state(experiment.make_optimizer()).draw()
        checkpoints.save(state, FRESH)
        checkpoints.wait()
    values["masking"]["share"] = 0.2
    with pytest.raises(InputError, match="masking"):
        begin_pretrain(build_pretrain(values, run), run)
    values["masking"]["share"] = 0.15
    values["corpus"]["seed"] = 5
    with pytest.raises(InputError, match="texts"):
        begin_pretrain(build_pretrain(values, run), run)


def losses(experiment, steps=3):
    optimizer = experiment.make_optimizer()
    state = experiment.first_state(optimizer).draw()
    update = make_train_step(experiment, optimizer, state, accumulate=1)
    from reviewintent_jax.training.placement import Placement

    placement, data = Placement(experiment.mesh), experiment.train_batches()
    rows = placement.rows(data.size)
    found, stream = [], data.batches(Position(0, 0), rows)
    for _ in range(steps):
        state, metrics = update(state, placement.put(next(stream).batch, rows))
        found.append(float(metrics.loss))
    return found, experiment.validation()(state.params)


@pytest.mark.slow
def test_the_devices_change_neither_masks_nor_losses(values, tmp_path):
    values["encoder"]["dropout"] = 0.0
    one, _ = ready(values, tmp_path / "run")
    values["mesh"]["data"] = 4  # batches of 6 pages: filled up with 2 empty ones
    many, _ = ready(values, tmp_path / "run")
    assert many.mesh.size == 4
    (ours, scores), (theirs, others) = losses(one), losses(many)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
    assert scores["loss"] == pytest.approx(others["loss"], abs=2e-4)


def test_it_learns_what_follows_from_the_rest_of_a_text(values, tmp_path):
    values["train"] |= {"max_steps": 120, "epochs": 99, "validate_every_steps": 40}
    values["train"] |= {"checkpoint_every_steps": 0}
    experiment, run = ready(values, tmp_path / "run")
    before = experiment.validation()(experiment.first_params().draw())
    result = train(experiment, run)
    after = experiment.validation()(result.state.params)
    assert before["loss"] > 4.0  # about the logarithm of the vocabulary
    ids = np.concatenate(experiment.store.read(experiment.texts(TRAIN)))
    target = experiment.scorer()(result.state.params, VALIDATION).target_nu
    usual = masked_scores(frequency_guesses(np.bincount(ids, minlength=90), target),
                          samples=0, seed=0)  # fmt: skip
    assert after["loss"] < 0.85 * usual["cross_entropy"]["value"]
    assert after["perplexity"] == pytest.approx(np.exp(after["loss"]))


def test_the_loss_is_the_mean_over_the_hidden_tokens_of_the_batch(values, tmp_path):
    values["encoder"]["dropout"] = 0.0
    experiment, _ = ready(values, tmp_path / "run")
    batch = next(experiment.train_batches().batches(Position(0, 0))).batch
    params = experiment.first_params().draw()
    totals = experiment.totals(batch)
    sums = jax.jit(experiment.loss)(params, batch, totals, jax.random.key(0))
    model = MaskedLanguage(experiment.model.spec)
    output = jax.jit(lambda p: model.apply({"params": p}, batch, deterministic=True))(
        params
    )
    log_prob = jax.nn.log_softmax(output.logits_buv)
    nats = [
        -float(log_prob[b, u, batch.target_bu[b, u]])
        for b, u in zip(*np.nonzero(batch.target_bu != NO_LABEL), strict=True)
    ]
    assert len(nats) == int(totals)
    assert float(sums.loss) == pytest.approx(np.mean(nats), rel=1e-5)


def test_splits_and_description_add_up(values, tmp_path):
    experiment, _ = ready(values, tmp_path / "run")
    counts = [len(experiment.texts(split)) for split in (TRAIN, VALIDATION, TEST)]
    assert sum(counts) == len(experiment.corpus.texts)
    said = experiment.describe()
    assert f"{counts[0]} train" in said
    assert "15% of the tokens are hidden" in said


def test_a_tokenizer_of_somebody_else_is_not_written_over(values, tmp_path):
    theirs = tmp_path / "run" / "tokenizer" / "tokenizer.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(InputError, match="not this run's"):
        build_pretrain(values, RunFolder(tmp_path / "run"))
    assert theirs.read_text() == "mine"


def test_a_tokenizer_that_was_half_written_is_learned_again(values, tmp_path):
    experiment, run = ready(values, tmp_path / "run")
    (run.tokenizer / "tokenizer.facts.json").write_text("{}")  # as a killed run leaves
    (run.tokenizer / "tokenizer.json").write_text("half")
    again, _ = ready(values, tmp_path / "run")
    assert again.tokenizer.vocab_size == experiment.tokenizer.vocab_size


def test_shapes_are_known_beforehand(values, tmp_path):
    experiment = ready(values, tmp_path / "run")[0]
    planned, drawn = planned_and_drawn(experiment)
    assert planned == drawn
    blank, batch = blank_and_batch(experiment)
    assert blank == batch


@pytest.mark.slow
def test_a_kept_program_makes_the_same_update(values, tmp_path, anew_and_kept):
    anew, kept = anew_and_kept(ready(values, tmp_path / "run")[0])
    chex.assert_trees_all_equal(anew, kept)
