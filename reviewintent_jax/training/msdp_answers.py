"""What a trained MSDP-Net answers: cases -> whether, how much, when, and who spoke."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from reviewintent_jax.data.msdp_features import MsdpData, MsdpFit
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.msdp_baselines import MsdpEvaluationSpec
from reviewintent_jax.evaluation.msdp_metrics import Said
from reviewintent_jax.models.msdp_net import MsdpNet
from reviewintent_jax.schema import CaseBatch
from reviewintent_jax.training.window_task import forward_on

MsdpStep = Callable[..., tuple[np.ndarray, ...]]
"""(params, leaves of a batch) -> intent_by, value_b, hazard_bj, weight_bi."""


class Logits(NamedTuple):
    """What the network says of some cases, float64; no columns where it says nothing.

    Attributes:
      intent_ny: logits of no and yes.
      value_n: standardised log(1 + value); [n, 0] where it is not asked.
      hazard_nj: logits of the hazards.
      weight_ni: attention to text, behaviour and structured.
    """

    intent_ny: np.ndarray
    value_n: np.ndarray
    hazard_nj: np.ndarray
    weight_ni: np.ndarray


class TrainedMsdp(NamedTuple):
    """A trained MSDP-Net, ready to answer.

    Attributes:
      model, params: the network and its best weights.
      step: of those weights.
      fit: scales and vocabularies.
      schema: the declaration.
      temperature: what the logits of the intent are divided by.
      evaluation: what is measured.
      seed: of the resampling.
      mesh: where the weights lie; None = on the first device.
    """

    model: MsdpNet
    params: Any
    step: int
    fit: MsdpFit
    schema: MsdpSchema
    temperature: float
    evaluation: MsdpEvaluationSpec
    seed: int
    mesh: Mesh | None = None


def make_msdp_step(model: MsdpNet, mesh: Mesh | None = None) -> MsdpStep:
    """Builds the forward pass on a mesh, or on the first device."""

    def forward(params: Any, *leaves: Any) -> tuple:
        batch = CaseBatch(*leaves)
        said: Any = model.apply({"params": params}, batch, deterministic=True)
        none_b0 = jnp.zeros((batch.row_b.shape[0], 0))
        value = said.value_b
        return (
            none_b0 if said.intent_by is None else said.intent_by,
            none_b0 if value is None else value[:, None],
            none_b0 if said.hazard_bj is None else said.hazard_bj,
            said.weight_bi,
        )

    return forward_on(mesh, forward)


def answer_cases(
    step: MsdpStep, params: Any, data: MsdpData, row_n: np.ndarray, size: int
) -> Logits:
    """What the network says of some cases, ``size`` at once."""
    parts: list[tuple[np.ndarray, ...]] = []
    for begin in range(0, len(row_n), size):
        some = row_n[begin : begin + size]
        said = step(params, *data.batch(some, size))
        parts.append(tuple(np.asarray(x, np.float64)[: len(some)] for x in said))
    intent, value, hazard, weight = map(np.concatenate, zip(*parts, strict=True))
    return Logits(intent, value, hazard, weight)


def said_of(logits: Logits, fit: MsdpFit, temperature: float) -> Said:
    """Logits -> answers in the data's own units."""
    chance_n = value_n = hazard_nj = None
    if logits.intent_ny.shape[1]:
        chance_n = probabilities(logits.intent_ny, temperature)[:, 1]
    if logits.value_n.shape[1]:
        scale = fit.value
        log_n = logits.value_n[:, 0] * scale.spread_f[0] + scale.mean_f[0]
        value_n = np.expm1(np.clip(log_n, 0, 30))
    if logits.hazard_nj.shape[1]:
        hazard_nj = 1 / (1 + np.exp(-np.clip(logits.hazard_nj, -30, 30)))
    return Said(chance_n, value_n, hazard_nj)
