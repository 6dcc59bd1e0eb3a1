"""What a trained model answers: windows of a panel -> next values, directions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.panel_rows import PanelSpec
from reviewintent_jax.data.panel_windows import (
    DIRECTIONS,
    PanelWindows,
    PanelWindowSpec,
    Places,
    WindowReader,
)
from reviewintent_jax.data.panels import VOLUME
from reviewintent_jax.data.series_windows import Scale
from reviewintent_jax.evaluation.heading_baselines import HeadingEvaluationSpec
from reviewintent_jax.evaluation.heading_metrics import Truth
from reviewintent_jax.models.heading import Heading
from reviewintent_jax.training.window_task import forward_on

HeadingStep = Callable[[Any, Any, Any], tuple[np.ndarray, np.ndarray]]
"""(params, value_bts, length_b) -> scaled forecast_bs, direction_bsy."""


class TrainedHeading(NamedTuple):
    """A trained model of headings, ready to answer.

    Attributes:
      model, params: the network and its best weights.
      step: of those weights.
      measures: [s], names.
      scale: of the measures.
      temperatures: [s], what the logits of each direction are divided by.
      windows: how panels are cut.
      data: which reviews it was trained on.
      positive: which answers count as positive.
      evaluation: what is measured.
      seed: of the resampling.
      usual_error: [s], mean absolute error of each measure on the test split; empty
        before the first evaluation.
      mesh: where the weights lie; None = on the first device.
    """

    model: Heading
    params: Any
    step: int
    measures: tuple[str, ...]
    scale: Scale
    temperatures: tuple[float, ...]
    windows: PanelWindowSpec
    data: PanelSpec
    positive: LabelMap
    evaluation: HeadingEvaluationSpec
    seed: int
    usual_error: tuple[float, ...]
    mesh: Mesh | None = None


def make_heading_step(model: Heading, mesh: Mesh | None = None) -> HeadingStep:
    """Builds the forward pass on a mesh, or on the first device."""

    def forward(params: Any, value_bts: Any, length_b: Any) -> tuple:
        inputs = value_bts, length_b
        output = model.apply({"params": params}, *inputs, deterministic=True)
        return output[:2]  # type: ignore[index]

    return forward_on(mesh, forward)


def answer_places(
    step: HeadingStep,
    params: Any,
    reader: WindowReader,
    scale: Scale,
    places: Places,
    batch: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled forecasts [n, s] and logits [n, s, y] after some windows, float64."""
    values, logits = [], []
    for begin in range(0, len(places.end_n), batch):
        some = Places(*(column[begin : begin + batch] for column in places))
        inputs, n = reader.inputs(some, scale), len(some.end_n)
        blank = [(0, batch - n)] + [(0, 0)] * 2
        value_bts = np.pad(inputs.value_nts, blank)
        length_b = np.pad(inputs.length_n, blank[0], constant_values=1)
        forecast_bs, direction_bsy = step(params, value_bts, length_b)
        values.append(np.asarray(forecast_bs, np.float64)[:n])
        logits.append(np.asarray(direction_bsy, np.float64)[:n])
    series = len(scale.shift_s)
    empty = np.zeros((0, series)), np.zeros((0, series, len(DIRECTIONS)))
    return np.concatenate([empty[0], *values]), np.concatenate([empty[1], *logits])


def in_range(value_ns: np.ndarray, measures: tuple[str, ...]) -> np.ndarray:
    """Values within what a measure can be: shares 0 to 1, log volumes 0 or more."""
    most_s = np.array([np.inf if name == VOLUME else 1.0 for name in measures])
    return np.clip(value_ns, 0.0, most_s)


def truth_of(windows: PanelWindows, row_n: np.ndarray) -> Truth:
    """What came after some windows; intervals draw groups, or periods of one alone."""
    alone = len(windows.panel.groups) == 1
    unit_n = windows.target_n if alone else windows.places.group_n
    return Truth(
        value_ns=windows.truth_ns[row_n],
        last_ns=windows.last_ns[row_n],
        direction_ns=windows.direction_ns[row_n],
        unit_n=unit_n[row_n],
        measures=windows.panel.measures,
        classes=DIRECTIONS,
    )
