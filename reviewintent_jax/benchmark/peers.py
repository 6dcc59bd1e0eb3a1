"""A plain PyTorch fine-tune of the same weights on the same split as a run of ours.

In: the prepared data of a finished run. Out: the answers of ``transformers``' own
sequence classifier (pooler and one dense layer) trained with PyTorch on the very same
texts, on as many of them as the run saw, with the same batch size, learning rates and
schedule, padded dynamically and grouped by length as its users do. Here PyTorch is
imported when a comparison is asked for, and not before.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax
from tqdm import tqdm

from reviewintent_jax.benchmark.torch_optimizer import make_torch_optimizer
from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import (
    best_threshold,
    fit_temperature,
    probabilities,
)
from reviewintent_jax.evaluation.evaluate import Baseline, EvaluationSpec, Threshold
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.optimizer import OptimizerSpec

_POOL = 50  # batches that are sorted by length together, as in transformers' trainer


class PeerSpec(NamedTuple):
    """What both sides share.

    Attributes:
      folder: Hugging Face folder of the encoder.
      max_tokens: longer reviews are cut here.
      reviews: training reviews seen in all, 1 or more, counted again in every pass;
        the last pass ends where they do.
      batch_reviews: reviews in an update.
      optimizer: rates, schedule, decay and clipping.
      evaluation: how probabilities become an answer.
      seed: of order, dropout and the head's first weights.
    """

    folder: str
    max_tokens: int
    reviews: int
    batch_reviews: int
    optimizer: OptimizerSpec
    evaluation: EvaluationSpec
    seed: int


def finetune_with_torch(prepared: Prepared, spec: PeerSpec) -> Baseline:
    """Trains the PyTorch classifier and lets it answer the test split.

    After every epoch it is scored on validation; the best epoch by macro-F1 is tested,
    as in our runs.

    Returns:
      Its calibrated answers; facts are ``temperature``, ``seconds`` of training,
      ``reviews`` seen, passes (``epochs``, the last one whole or not) and versions.

    Raises:
      InputError: PyTorch is not installed.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
        import transformers
    except ImportError:
        raise InputError(
            "PyTorch is not installed, so there is nothing to compare with.",
            fix="pip install torch (it is not needed for anything else)",
        ) from None
    torch.manual_seed(spec.seed)
    classes = prepared.labels.classes
    tokenizer = transformers.AutoTokenizer.from_pretrained(spec.folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        spec.folder, num_labels=len(classes)
    )
    trainer = _Trainer(torch, model, tokenizer, prepared, spec)
    best, best_f1, training, seen, epoch = None, -1.0, 0.0, 0, 0
    while seen < spec.reviews:
        began = time.monotonic()
        seen += trainer.train_epoch(epoch, spec.reviews - seen)
        training += time.monotonic() - began
        epoch += 1
        logits = trainer.logits(prepared.labelled(VALIDATION))
        score = _macro_f1(prepared, logits)
        if score > best_f1:
            best_f1, best = score, (logits, trainer.logits(prepared.labelled(TEST)))
    assert best is not None
    answers = _calibrated(prepared, *best, spec.evaluation)
    facts = answers.facts | {
        "seconds": training,
        "reviews": seen,
        "reviews_per_second": seen / training,
        "epochs": epoch,
        "batch_reviews": spec.batch_reviews,
        "grouped_by_length": True,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }
    return answers._replace(facts=facts)


class _Trainer:
    """One PyTorch model, its optimizer and its data."""

    def __init__(
        self, torch: Any, model: Any, tokenizer: Any, prepared: Prepared, spec: PeerSpec
    ) -> None:
        self._torch, self._model, self._prepared = torch, model, prepared
        self._tokenizer, self._spec = tokenizer, spec
        used = np.concatenate([prepared.labelled(s) for s in (TRAIN, VALIDATION, TEST)])
        self._texts = dict(zip(used.tolist(), prepared.texts(used), strict=True))
        self._optimizer, self._schedule = make_torch_optimizer(
            torch, model, spec.optimizer
        )

    def train_epoch(self, epoch: int, most: int) -> int:
        """Trains on ``most`` reviews, or all there are; returns how many they were."""
        torch, spec = self._torch, self._spec
        self._model.train()
        seen = 0
        for batch in tqdm(self._batches(epoch, most), disable=None):
            labels = torch.tensor(self._prepared.label_n[batch].astype(np.int64))
            loss = self._model(**self._inputs(batch), labels=labels).loss
            self._optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(
                self._model.parameters(), spec.optimizer.clip_norm or float("inf")
            )
            self._optimizer.step()
            self._schedule.step()
            seen += len(batch)
        return seen

    def _batches(self, epoch: int, most: int) -> list[np.ndarray]:
        """Batches of an epoch, of reviews alike in length.

        As ``group_by_length`` of transformers' trainer does it: a random order is cut
        into pools of 50 batches, each pool is sorted by length and cut into batches.
        """
        spec, random = self._spec, np.random.default_rng([self._spec.seed, epoch])
        order = random.permutation(self._prepared.labelled(TRAIN))[:most]
        lengths = np.array([len(self._texts[i]) for i in order.tolist()])
        found = []
        for pool in _pieces(np.arange(len(order)), _POOL * spec.batch_reviews):
            by_length = pool[np.argsort(lengths[pool], kind="stable")]
            found += list(_pieces(order[by_length], spec.batch_reviews))
        return [found[i] for i in random.permutation(len(found))]

    def logits(self, reviews: np.ndarray) -> np.ndarray:
        """Logits of some reviews, scored in order of length to pad little."""
        self._model.eval()
        lengths = np.array([len(self._texts[i]) for i in reviews.tolist()])
        order = np.argsort(lengths, kind="stable")
        found = np.zeros((len(reviews), self._model.config.num_labels))
        with self._torch.inference_mode():
            for piece in _pieces(order, 64):
                result = self._model(**self._inputs(reviews[piece])).logits
                found[piece] = result.float().numpy()
        return found

    def _inputs(self, reviews: np.ndarray) -> dict[str, Any]:
        return self._tokenizer(
            [self._texts[i] for i in reviews.tolist()],
            truncation=True,
            max_length=self._spec.max_tokens,
            padding=True,
            return_tensors="pt",
        )


def _pieces(items: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _macro_f1(prepared: Prepared, logits: np.ndarray) -> float:
    """Macro-F1 of the validation split."""
    scores = classification_metrics(
        probabilities(logits, 1.0),
        prepared.label_n[prepared.labelled(VALIDATION)],
        prepared.labels.classes,
        bootstrap_samples=0,
        seed=0,
    )
    return scores["macro_f1"]["value"]


def _calibrated(
    prepared: Prepared,
    validation: np.ndarray,
    test: np.ndarray,
    spec: EvaluationSpec,
) -> Baseline:
    """Answers to the test split; temperature and threshold come from validation."""
    labels = prepared.label_n[prepared.labelled(VALIDATION)]
    temperature = fit_temperature(validation, labels)
    facts: dict[str, Any] = {"temperature": temperature}
    if spec.threshold == Threshold.VALIDATION:
        prob_ny = probabilities(validation, temperature)
        facts["threshold"] = best_threshold(prob_ny[:, 1], labels)
    return Baseline(log_softmax(test / temperature, axis=1), facts)
