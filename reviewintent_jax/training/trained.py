"""A trained model: what is opened from a run's folder, ready to score."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.histories import CovariateScale
from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.prepare import DataSpec, Prepared
from reviewintent_jax.data.prepared_pages import page_source
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.data.words import WordLookup
from reviewintent_jax.evaluation.evaluate import EvaluationSpec
from reviewintent_jax.evaluation.row_intention import RowIntention
from reviewintent_jax.evaluation.score_table import TableScorer
from reviewintent_jax.evaluation.scoring import (
    ReviewLogits,
    make_score_step,
    pages_at_once,
    split_logits,
)
from reviewintent_jax.models.encoder import narrow_kernels
from reviewintent_jax.models.review_intent import ReviewIntent, without_history
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.scoring import SplitScorer
from reviewintent_jax.training.sharding import one_device


@dataclasses.dataclass(frozen=True)
class TrainedIntention:
    """What answers about intention need beside the weights.

    Attributes:
      classes: their names.
      scale: standardises the covariates.
      labels: how stated intentions became classes; None for other definitions.
      temperature: what the logits of intention are divided by.
      threshold: as that of sentiment; None = the most probable class.
    """

    classes: tuple[str, ...]
    scale: CovariateScale
    labels: LabelMap | None
    temperature: float
    threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "classes": list(self.classes),
            "scale": self.scale.to_dict(),
            "labels": None if self.labels is None else self.labels.to_dict(),
            "temperature": self.temperature,
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "TrainedIntention":
        """The inverse of ``to_dict``."""
        labels = stored["labels"]
        return cls(
            classes=tuple(stored["classes"]),
            scale=CovariateScale.from_dict(stored["scale"]),
            labels=None if labels is None else LabelMap.from_dict(labels),
            temperature=stored["temperature"],
            threshold=stored["threshold"],
        )


class Trained(NamedTuple):
    """A trained model, ready to score.

    Attributes:
      model, params: the network and its best weights.
      step: of those weights.
      tokenizer: of its encoder.
      pages: sizes of a page.
      labels: how raw labels became classes; without classes where the model answers
        about intention alone.
      temperature: what its logits are divided by for calibrated probabilities.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
      intention: the same of intention; None where it is not asked about.
      data: what its training data were.
      evaluation: what is measured.
      mesh: where the weights lie; None = on the first device.
      words: makes words of tokens; None where the model reads none.
    """

    model: ReviewIntent
    params: Any
    step: int
    tokenizer: ReviewTokenizer
    pages: PageSpec
    labels: LabelMap
    temperature: float
    threshold: float | None
    intention: TrainedIntention | None
    data: DataSpec
    evaluation: EvaluationSpec
    mesh: Mesh | None = None
    words: WordLookup | None = None

    def logits(
        self, prepared: Prepared, reviews: np.ndarray, progress: Progress | None = None
    ) -> ReviewLogits:
        """What the model says of some prepared reviews (ascending).

        Without histories in ``prepared`` it says what it can: sentiment.
        """
        intents = 0 if self.intention is None else len(self.intention.classes)
        model, scale = self.model, None
        if self.intention is not None and prepared.histories is not None:
            scale = self.intention.scale
        else:
            model, intents = without_history(model), 0
        mesh = self.mesh or one_device()
        score = SplitScorer(
            model, mesh, self.evaluation.batch_pages, self.pages.page_tokens
        )
        special, words = self.tokenizer.special, self.words
        source = page_source(prepared, special, self.pages, scale, words=words)
        logits_nz = score(self.params, source, reviews, progress)
        return split_logits(logits_nz, len(self.labels.classes), intents)


def _for_scoring(params: Any, model: ReviewIntent) -> Any:
    """Parameters that give the same answers from fewer bytes."""
    if model.spec.encoder is None:
        return params
    dtype = model.spec.encoder.dtype
    return params | {"encoder": narrow_kernels(params["encoder"], dtype)}


def make_scorer(trained: Trained, source: SourceSpec) -> TableScorer:
    """What scoring single reviews needs, and the columns to read.

    Where intention was learned without histories, rows are asked about it as well;
    ``source.time`` must then be the column of the time if the season is a covariate.

    Raises:
      InputError: the model answers nothing about single reviews.
    """
    asked = trained.intention
    if asked is not None and trained.data.intention.over_time:
        asked = None  # a row of its own has no history
    if not trained.labels.classes and asked is None:
        raise InputError(
            "This run has learned the intention of subjects alone; it says nothing of "
            "single reviews.",
            fix="Give --subjects=FILE in the place of --output.",
        )
    model = trained.model if asked is not None else without_history(trained.model)
    return TableScorer(
        score=make_score_step(model),
        params=_for_scoring(trained.params, model),
        tokenizer=trained.tokenizer,
        cleaner=Cleaner(trained.data.clean),
        pages=trained.pages,
        batch_pages=pages_at_once(
            trained.evaluation.batch_pages, trained.pages.page_tokens
        ),
        classes=trained.labels.classes,
        temperature=trained.temperature,
        threshold=trained.threshold,
        source=source,
        check=trained.data.check,
        words=trained.words,
        intention=None
        if asked is None
        else RowIntention(
            spec=trained.data.intention,
            scale=asked.scale,
            classes=asked.classes,
            temperature=asked.temperature,
            threshold=asked.threshold,
        ),
    )
