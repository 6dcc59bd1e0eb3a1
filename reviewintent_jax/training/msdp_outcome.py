"""What a finished run on cases leaves behind, and what it answers afterwards.

In: a trained MSDP-Net and its cases. Out: the table of test answers, ``metrics.json``,
``model.json``, and what is said of new cases.
"""

import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.data.msdp_features import MsdpData
from reviewintent_jax.data.msdp_flat import category_of, flat_features
from reviewintent_jax.data.msdp_specs import SOURCES, moment_text
from reviewintent_jax.data.msdp_summaries import mean_values, recency_frequency
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import fit_temperature
from reviewintent_jax.evaluation.msdp_baselines import (
    CaseTable,
    baselines,
    shuffled_answers,
)
from reviewintent_jax.evaluation.msdp_metrics import (
    Said,
    Truth,
    differences,
    draw_counts,
    score_samples,
    with_ends,
)
from reviewintent_jax.evaluation.survival import (
    hazard_calibration,
    kaplan_meier_hazards,
    median_days,
    survival_curve,
)
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import Checkpoints, restore_best
from reviewintent_jax.training.files import Facts, write_json, write_table
from reviewintent_jax.training.loop import TrainResult, train
from reviewintent_jax.training.msdp import MsdpExperiment
from reviewintent_jax.training.msdp_answers import (
    Logits,
    TrainedMsdp,
    answer_cases,
    make_msdp_step,
    said_of,
)

ALONE = "sources"
"""Folder of the runs on each source alone, in the run's folder."""


def write_msdp_outcome(
    experiment: MsdpExperiment,
    result: TrainResult,
    run: RunFolder,
    environment: Facts,
) -> Facts:
    """Scores the best parameters, the baselines and each source alone; writes all."""
    params, step = restore_best(run, result.state.params)
    data = experiment.windows
    trained = trained_of(experiment, params, step)
    context = {
        "name": experiment.name,
        "training": result.facts(experiment.units, len(data.targets(TRAIN)), step),
        "environment": environment,
        "config": experiment.config,
    }
    alone = single_sources(experiment, run)
    return evaluate_msdp(trained, data, run, context, alone)


def trained_of(experiment: MsdpExperiment, params: Any, step: int) -> TrainedMsdp:
    """Best parameters of an experiment, ready to answer; not calibrated yet."""
    return TrainedMsdp(
        model=experiment.model,
        params=params,
        step=step,
        fit=experiment.windows.fit,
        schema=experiment.windows.schema,
        temperature=1.0,
        evaluation=experiment.evaluation,
        seed=experiment.seed,
        mesh=experiment.mesh,
    )


def single_sources(experiment: MsdpExperiment, run: RunFolder) -> dict[str, Said]:
    """The same network trained on each source alone -> its answers of test.

    Their runs lie in the run's folder and go on where they were, as every run does.
    """
    if not experiment.evaluation.single_sources or len(experiment.sources) < 2:
        return {}
    found = {}
    for source in experiment.sources:
        task = experiment.alone(source)
        folder = RunFolder(run.root / ALONE / source)
        folder.root.mkdir(parents=True, exist_ok=True)
        with Checkpoints(folder, task.identity()) as checkpoints:
            checkpoints.check()
        result = train(task, folder)
        params, step = restore_best(folder, result.state.params)
        answers = answer_all(trained_of(task, params, step), task.windows)
        found[f"{source}_alone"] = answers.test
        if hosts.is_first():
            write_alone(run, source, answers.test)
    return found


def write_alone(run: RunFolder, source: str, said: Said) -> None:
    """Keeps the answers of a source alone, so that a run can be scored again."""
    arrays = {k: v for k, v in said._asdict().items() if v is not None}
    np.savez(run.root / ALONE / f"{source}.npz", **arrays)


def read_alone(run: RunFolder) -> dict[str, Said]:
    """What :func:`write_alone` kept."""
    found = {}
    for path in sorted((run.root / ALONE).glob("*.npz"), key=_place):
        with np.load(path) as stored:
            found[f"{path.stem}_alone"] = Said(**dict(stored))
    return found


def _place(path: Path) -> int:
    return SOURCES.index(path.stem)


class Answers(NamedTuple):
    """What a network says of the test cases, calibrated on validation.

    Attributes:
      test: in the data's own units.
      logits: before that.
      temperature: of the intent.
    """

    test: Said
    logits: Logits
    temperature: float


def answer_all(trained: TrainedMsdp, data: MsdpData) -> Answers:
    """Answers of test; the temperature is fitted on validation."""
    step = make_msdp_step(trained.model, trained.mesh)
    size = trained.evaluation.batch_cases
    sides = [
        answer_cases(step, trained.params, data, data.targets(split), size)
        for split in (VALIDATION, TEST)
    ]
    temperature = 1.0
    if sides[0].intent_ny.shape[1]:
        label_n = data.cases.targets.intent_n[data.targets(VALIDATION)]
        temperature = fit_temperature(sides[0].intent_ny, label_n)
    return Answers(said_of(sides[1], data.fit, temperature), sides[1], temperature)


def truth_of(data: MsdpData, row_n: np.ndarray) -> Truth:
    """What came of some cases."""
    targets, ends = data.cases.targets, data.schema.targets.interval_days
    interval_n, inside_n = data.intervals(row_n)
    return Truth(
        intent_n=targets.intent_n[row_n],
        value_n=targets.value_n[row_n],
        days_n=targets.days_n[row_n],
        came_n=targets.came_n[row_n],
        interval_n=interval_n,
        inside_n=inside_n,
        end_j=np.array(ends or (1.0,)),
        unit_n=data.cases.subject_n[row_n],
    )


def evaluate_msdp(
    trained: TrainedMsdp,
    data: MsdpData,
    run: RunFolder,
    context: Facts,
    alone: dict[str, Said],
) -> Facts:
    """Scores the test split of a run's own cases; writes all of it.

    Args:
      trained: the model; its temperature is fitted anew.
      data: the run's own cases.
      run: where to write.
      context: what does not depend on the answers (name, training, config).
      alone: what each source alone says of the test cases.
    """
    answers = answer_all(trained, data)
    if not hosts.is_first():  # who was needed for the answers alone
        return context
    trained = trained._replace(temperature=answers.temperature)
    row_n = data.targets(TEST)
    table = case_table(trained, data)
    systems = {"model": answers.test, **alone, **baselines(table)}
    if np.isfinite(data.cases.truth_n[row_n]).all():
        systems["best_possible"] = Said(chance_n=data.cases.truth_n[row_n])
    truth = truth_of(data, row_n)
    samples = trained.evaluation.bootstrap_samples
    count_sn = draw_counts(truth.unit_n, samples, trained.seed)
    drawn = {k: score_samples(truth, said, count_sn) for k, said in systems.items()}
    others = {name: each for name, each in drawn.items() if name != "model"}
    metrics = context | _facts(trained, data, answers)
    metrics["shuffled"] = shuffled_answers(table)
    metrics["systems"] = {name: with_ends(each) for name, each in drawn.items()}
    metrics["differences"] = {
        name: differences(drawn["model"], each) for name, each in others.items()
    }
    write_table(run.predictions("test"), _test_table(data, row_n, answers, systems))
    write_json(run.model, _model_facts(trained))
    write_json(run.metrics, metrics)
    return metrics


def case_table(trained: TrainedMsdp, data: MsdpData) -> CaseTable:
    """What the baselines read."""
    cases, targets = data.cases, data.schema.targets
    interval_n, inside_n = data.intervals(np.arange(len(cases.names)))
    recent = past = texts = None
    if cases.events is not None:
        ranges = cases.first_n, cases.end_n
        recent = recency_frequency(cases.events, *ranges, cases.moment_n)
        past = mean_values(cases.events, *ranges, data.schema.events)
    if cases.texts:
        texts = [" ".join(cases.texts[k] for k in row if k >= 0)
                 for row in cases.text_nk.tolist()]  # fmt: skip
    return CaseTable(
        flat_nf=flat_features(data),
        recency_nf=recent,
        past_value_n=past,
        category_n=category_of(data),
        texts=texts,
        intent_n=cases.targets.intent_n,
        value_n=cases.targets.value_n,
        interval_n=interval_n,
        inside_n=inside_n,
        intervals=len(targets.interval_days) if targets.time else 0,
        tasks=targets.tasks,
        train_n=data.targets(TRAIN),
        validation_n=data.targets(VALIDATION),
        asked_n=data.targets(TEST),
        seed=trained.seed,
    )


def _facts(trained: TrainedMsdp, data: MsdpData, answers: Answers) -> Facts:
    """What is true of the run whatever its scores are."""
    targets, row_n = trained.schema.targets, data.targets(TEST)
    now = datetime.datetime.now(datetime.UTC)
    facts: Facts = {
        "task": "msdp",
        "created": now.isoformat(timespec="seconds"),
        "tasks": list(targets.tasks),
        "horizon_days": targets.horizon_days,
        "interval_days": list(targets.interval_days) if targets.time else [],
        "sources": [
            name
            for name, use in zip(SOURCES, trained.model.spec.use, strict=True)
            if use
        ],
        "temperature": trained.temperature,
        "data": data.cases.facts,
        "fusion": _fusion_facts(data, row_n, answers.logits.weight_ni),
    }
    if targets.time and answers.test.hazard_nj is not None:
        interval_n, inside_n = data.intervals(row_n)
        hazard = answers.test.hazard_nj
        facts["hazard_bins"] = hazard_calibration(hazard, interval_n, inside_n)
        seen_j = kaplan_meier_hazards(interval_n, inside_n, hazard.shape[1])
        facts["survival"] = {
            "said": survival_curve(hazard).mean(axis=0).tolist(),
            "seen": survival_curve(seen_j[None])[0].tolist(),
        }
    return facts


def _fusion_facts(data: MsdpData, row_n: np.ndarray, weight_ni: np.ndarray) -> Facts:
    """Mean weights of the sources: over all test cases, over those that have them all,
    and by the names of each category.
    """

    def means(some: np.ndarray) -> dict[str, float] | None:
        if not some.any():
            return None
        mean_i = weight_ni[some].mean(axis=0)
        return dict(zip(SOURCES, mean_i.tolist(), strict=True))

    used = weight_ni.sum(axis=0) > 0
    complete = (data.present(row_n) | ~used).all(axis=1)
    groups = {}
    for c, (column, names) in enumerate(data.cases.categories.items()):
        if len(names) <= 8:
            code_n = data.cases.category_nc[row_n, c]
            groups[column] = {
                name: means((code_n == code) & complete)
                for code, name in enumerate(names)
            }
    return {
        "all": means(np.ones(len(row_n), bool)),
        "complete": means(complete),
        "complete_cases": int(complete.sum()),
        "by_category": groups,
    }


def _model_facts(trained: TrainedMsdp) -> Facts:
    """What answering needs beside the weights."""
    return {
        "task": "msdp",
        "step": trained.step,
        "temperature": trained.temperature,
        "text_features": trained.model.spec.text_features,
        "fit": trained.fit.to_dict(),
    }


def _test_table(
    data: MsdpData, row_n: np.ndarray, answers: Answers, systems: dict[str, Said]
) -> pd.DataFrame:
    """One row a test case: what came, and what every system said."""
    targets = data.cases.targets
    columns: dict[str, Any] = {
        "subject": [data.cases.names[n] for n in row_n],
        "moment": [moment_text(data.cases.moment_n[n]) for n in row_n],
        "intent": targets.intent_n[row_n],
        "value": targets.value_n[row_n],
        "days": targets.days_n[row_n],
        "came": targets.came_n[row_n],
    }
    for i, source in enumerate(SOURCES):
        columns[f"weight_{source}"] = answers.logits.weight_ni[:, i]
    for name, said in systems.items():
        if said.chance_n is not None:
            columns[f"{name}_probability"] = said.chance_n
        if said.value_n is not None:
            columns[f"{name}_value"] = said.value_n
        if said.hazard_nj is not None:
            ends = np.array(data.schema.targets.interval_days)
            columns[f"{name}_median_days"] = median_days(said.hazard_nj, ends)
    return pd.DataFrame(columns)


def new_answers(trained: TrainedMsdp, data: MsdpData) -> pd.DataFrame:
    """What is said of cases whose answers nobody knows; one row a case.

    See ``docs/formats.md`` for the columns.
    """
    row_n = np.arange(len(data.cases.names))
    step = make_msdp_step(trained.model)
    size = trained.evaluation.batch_cases
    logits = answer_cases(step, trained.params, data, row_n, size)
    said = said_of(logits, trained.fit, trained.temperature)
    targets = trained.schema.targets
    moments = [moment_text(m) if m else "" for m in data.cases.moment_n]
    columns: dict[str, Any] = {"subject": list(data.cases.names), "moment": moments}
    if said.chance_n is not None:
        columns["probability"] = said.chance_n
        if targets.intent == "events":
            columns["horizon_days"] = targets.horizon_days
    if said.value_n is not None:
        columns["value"] = said.value_n
    if said.hazard_nj is not None:
        ends = np.array(targets.interval_days)
        columns["median_days"] = median_days(said.hazard_nj, ends)
        survival = survival_curve(said.hazard_nj)
        for j, end in enumerate(targets.interval_days):
            columns[f"came_by_{end:g}_days"] = 1 - survival[:, j]
    for i, source in enumerate(SOURCES):
        columns[f"weight_{source}"] = logits.weight_ni[:, i]
    return pd.DataFrame(columns)
