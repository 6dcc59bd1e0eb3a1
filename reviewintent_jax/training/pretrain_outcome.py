"""What a finished pre-training leaves behind: scores, and an encoder to start from.

In: the best parameters and the held-out texts. Out: ``metrics.json``, ``model.json``,
and in ``encoder/`` a Hugging Face folder (config.json, model.safetensors,
tokenizer.json) that ``encoder.source`` of another config reads.
"""

import datetime
from typing import Any

import numpy as np

from reviewintent_jax.data.pages import slot_lengths
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.data.unigram import UNKNOWN
from reviewintent_jax.evaluation.pretrain_metrics import (
    frequency_guesses,
    masked_scores,
)
from reviewintent_jax.models.pretrained import save_encoder
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.files import Facts, write_json
from reviewintent_jax.training.loop import TrainResult
from reviewintent_jax.training.placement import whole
from reviewintent_jax.training.pretrain import PretrainExperiment


def write_pretrain_outcome(
    experiment: PretrainExperiment,
    result: TrainResult,
    run: RunFolder,
    environment: Facts,
) -> Facts:
    """Scores the best parameters, exports them; writes and returns all metrics."""
    params, step = restore_best(run, result.state.params)
    context = {
        "name": experiment.name,
        "training": result.facts(experiment.units, len(experiment.texts(TRAIN)), step),
        "environment": environment,
        "config": experiment.config,
    }
    return evaluate_pretrain(experiment, params, run, context)


def evaluate_pretrain(
    experiment: PretrainExperiment, params: Any, run: RunFolder, context: Facts
) -> Facts:
    """Scores validation and test, exports the encoder; writes and returns all metrics.

    ``context`` holds what does not depend on the scores (name, training, config).
    """
    score, spec = experiment.scorer(), experiment.evaluation
    said = {split: score(params, split) for split in (VALIDATION, TEST)}
    encoder = whole(params["encoder"])
    if not hosts.is_first():  # who was needed for the scores alone
        return context
    count_v = _piece_counts(experiment)
    systems: dict[str, Facts] = {"model": {}, "piece_frequency": {}}
    for split, guesses in said.items():
        samples = spec.bootstrap_samples if split == TEST else 0
        drawn = {"samples": samples, "seed": spec.seed}
        name = SPLIT_NAMES[split]
        systems["model"][name] = masked_scores(guesses, **drawn)
        usual = frequency_guesses(count_v, guesses.target_nu)
        systems["piece_frequency"][name] = masked_scores(usual, **drawn)
    now = datetime.datetime.now(datetime.UTC)
    metrics = context | {
        "task": "pretrain",
        "created": now.isoformat(timespec="seconds"),
        "data": _data_facts(experiment),
        "systems": systems,
    }
    save_encoder(
        run.encoder,
        experiment.model.spec.encoder,
        encoder,
        tokenizer_from=experiment.tokenizer.folder,
    )
    write_json(run.model, {"step": context["training"]["best_step"]})
    write_json(run.metrics, metrics)
    return metrics


def _piece_counts(experiment: PretrainExperiment) -> np.ndarray:
    """How often each vocabulary entry occurs in the training texts, int64 [v]."""
    ids = experiment.store.read(experiment.texts(TRAIN))
    vocab_size = experiment.model.spec.encoder.vocab_size
    return np.bincount(np.concatenate(ids), minlength=vocab_size)


def _data_facts(experiment: PretrainExperiment) -> Facts:
    """Counts of texts and tokens, and what the tokenizer does not know."""
    facts = experiment.corpus.summary()
    unknown = experiment.tokenizer.id_of(UNKNOWN)
    for code, name in enumerate(SPLIT_NAMES):
        ids = experiment.store.read(experiment.texts(code))
        joined = np.concatenate(ids)
        words = sum(len(text.split()) for text in experiment.corpus.of(code))
        lengths = slot_lengths(np.array(list(map(len, ids))), experiment.pages)
        facts["splits"][name] |= {
            "words": words,
            "tokens": len(joined),
            "tokens_a_word": len(joined) / max(words, 1),
            "unknown_share": float((joined == unknown).mean()),
            "cut_tokens": int(len(joined) - lengths.kept_n.sum()),
        }
    labelled = experiment.data_summary
    kept = {name: labelled[name] for name in ("rows", "accepted", "rejected", "splits")}
    return facts | {"labelled_source": kept}
