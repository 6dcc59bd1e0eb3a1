"""Losses of MSDP-Net: answers and targets -> sums that add up over micro-batches."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from reviewintent_jax.models.msdp_net import MsdpOutput
from reviewintent_jax.schema import NO_LABEL, CaseBatch, InputError
from reviewintent_jax.training.losses import (
    LossSums,
    Tally,
    TaskWeighting,
    log_variances,
    weigh_tasks,
)

TASKS = ("intent", "value", "time")


@dataclasses.dataclass(frozen=True)
class MsdpLossSpec:
    """How the losses of whether, how much and when become one.

    Fixed: ``sum_k weight_k L_k``. Learned (Kendall et al., CVPR 2018):
    ``sum_k exp(-v_k) L_k + v_k``, where the log variances v are parameters that begin
    at minus the logarithm of the weights.

    Attributes:
      weighting: fixed or learned.
      intent_weight, value_weight, time_weight: 0 or more; above 0 where learned. Those
        of what is not asked weigh nothing.
    """

    weighting: TaskWeighting
    intent_weight: float
    value_weight: float
    time_weight: float

    def __post_init__(self) -> None:
        weights = self.intent_weight, self.value_weight, self.time_weight
        if min(weights) < 0 or max(weights) == 0:
            raise InputError(
                f"loss: the weights are {weights}; none may be negative, nor all be 0."
            )
        if self.weighting is TaskWeighting.LEARNED and min(weights) == 0:
            raise InputError(
                "loss: a weight of 0 cannot be learned from.",
                fix="Set --config.loss.weighting=fixed.",
            )

    def weights(self, tasks: tuple[str, ...]) -> jax.Array:
        """float32 weights of some tasks."""
        return jnp.array([getattr(self, f"{t}_weight") for t in tasks], jnp.float32)


class CaseTotals(NamedTuple):
    """Known answers of a whole batch, 1 or more each: divisors of the losses."""

    intent: jax.Array
    value: jax.Array
    time: jax.Array


def case_totals(batch: CaseBatch) -> CaseTotals:
    """Counts the known answers of a batch."""
    counts = _known(batch)
    return CaseTotals(*(jnp.maximum(known.sum(), 1.0) for known in counts))


def _known(batch: CaseBatch) -> tuple[jax.Array, jax.Array, jax.Array]:
    """float32 [b] 1 where intent, value and time are known."""
    return (
        (jnp.asarray(batch.intent_b) != NO_LABEL).astype(jnp.float32),
        jnp.asarray(batch.value_known_b),
        (jnp.asarray(batch.interval_b) >= 0).astype(jnp.float32),
    )


def msdp_parameters(spec: MsdpLossSpec, tasks: tuple[str, ...]) -> dict[str, jax.Array]:
    """Parameters of the loss, for the top level of the parameter tree.

    Returns:
      ``task_log_variance`` float32, one for each of ``tasks``, where they are learned
      and there are two or more; nothing otherwise.
    """
    if spec.weighting is not TaskWeighting.LEARNED or len(tasks) < 2:
        return {}
    return {"task_log_variance": log_variances(spec.weights(tasks))}


def hazard_loss(
    hazard_bj: jax.Array, interval_b: jax.Array, came_b: jax.Array
) -> jax.Array:
    """Negative log-likelihood of each case, in nats, ``[b]``; unknown ones get 0.

    With ``h = sigmoid(logit)``, a case whose event came in interval j has likelihood
    ``h[j] prod_{i<j} (1 - h[i])``; one that was censored after surviving j intervals
    has ``prod_{i<j} (1 - h[i])``.

    Args:
      hazard_bj: logits.
      interval_b: int32, interval of the event or number of intervals survived; -1
        where nothing is known.
      came_b: float32 1 where the event came.
    """
    step_bj = jnp.arange(hazard_bj.shape[-1])[None]
    survived_bj = step_bj < interval_b[:, None]
    came_bj = (step_bj == interval_b[:, None]) & (came_b[:, None] > 0)
    lived = jnp.where(survived_bj, -jax.nn.log_sigmoid(-hazard_bj), 0.0)
    died = jnp.where(came_bj, -jax.nn.log_sigmoid(hazard_bj), 0.0)
    return (lived + died).sum(axis=-1)


def msdp_loss(
    params: Mapping[str, Any],
    output: MsdpOutput,
    batch: CaseBatch,
    totals: CaseTotals,
    spec: MsdpLossSpec,
) -> LossSums:
    """The weighted losses of all that is asked.

    Args:
      params: the parameter tree; only that of :func:`msdp_parameters` is read.
      output: of the network.
      batch: a whole batch or a piece of one.
      totals: of the whole batch.
      spec: how the losses become one.

    Returns:
      The loss; each task's own (cross-entropy in nats, squared error in deviations,
      negative log-likelihood in nats), accuracy, and the weights in force where they
      are learned.
    """
    known: dict[str, jax.Array] = dict(zip(TASKS, _known(batch), strict=True))
    losses: dict[str, jax.Array] = {}
    tallies: dict[str, Tally] = {}
    if output.intent_by is not None:
        label_b = jnp.maximum(jnp.asarray(batch.intent_b), 0)
        losses["intent"] = optax.softmax_cross_entropy_with_integer_labels(
            output.intent_by, label_b
        )
        hits_b = (output.intent_by.argmax(-1) == label_b) * known["intent"]
        tallies["accuracy"] = Tally(hits_b.sum(), known["intent"].sum())
    if output.value_b is not None:
        losses["value"] = (output.value_b - batch.value_b) ** 2
    if output.hazard_bj is not None:
        interval_b, came_b = jnp.asarray(batch.interval_b), jnp.asarray(batch.came_b)
        losses["time"] = hazard_loss(output.hazard_bj, interval_b, came_b)
    sums, shares = [], []
    for task, loss_b in losses.items():
        total = getattr(totals, task)
        summed = jnp.where(known[task] > 0, loss_b, 0.0).sum()
        tallies[f"{task}_loss"] = Tally(summed, known[task].sum())
        sums.append(summed / total)
        shares.append(known[task].sum() / total)
    tasks = tuple(losses)
    learned = params.get("task_log_variance")
    if learned is None:
        joint = (spec.weights(tasks) * jnp.stack(sums)).sum()
        return LossSums(joint, tallies)
    joint, weights = weigh_tasks(learned, jnp.stack(sums), jnp.stack(shares))
    for task, weight, share in zip(tasks, weights, shares, strict=True):
        tallies[f"{task}_weight"] = Tally(weight * share, share)
    return LossSums(joint, tallies)
