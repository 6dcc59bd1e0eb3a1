"""Plots: scores, curves and predictions -> small SVG strings for the report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from sklearn import metrics as sk

from reviewintent_jax.evaluation.calibration import ReliabilityCurve
from reviewintent_jax.evaluation.svg import COLOURS, INK, MUTED, PAPER, draw_svg
from reviewintent_jax.schema import NO_LABEL

_DASHES = ("-", "--", "-.", ":")
_MOST_POINTS = 160  # of one drawn curve
_MOST_CURVES = 8  # classes with a curve of their own


def learning_curves(
    log: Sequence[Mapping[str, Any]], best_step: int | None = None
) -> str:
    """Draw loss by step (training, validation) above validation scores by step.

    Args:
      log: lines of ``log.jsonl``: ``{"kind": "train", "step", "loss"}`` and ``{"kind":
        "validation", "step", "loss", "macro_f1", "auc"}``; what is absent or not a
        finite number is left out.
      best_step: the step whose weights were kept, marked if given.
    """

    def draw(figure: Figure) -> None:
        loss, score = figure.subplots(2, 1, sharex=True)
        step, value = _thin(*_series(log, "train", "loss"))
        loss.plot(step, value, color=COLOURS[5], lw=1.2, label="training")
        _dotted(loss, *_series(log, "validation", "loss"), 0, "validation")
        loss.set_title("Loss")
        _dotted(score, *_series(log, "validation", "macro_f1"), 0, "macro-F1")
        _dotted(score, *_series(log, "validation", "auc"), 1, "AUC")
        score.set_title("Validation scores")
        score.set_xlabel("training step")
        for axes in (loss, score):
            if best_step is not None:
                axes.axvline(best_step, color=MUTED, ls=":", lw=1.2, label="kept")
            axes.legend(loc="best")
        score.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    return draw_svg("learning", "Loss and validation scores by step", draw, height=4.2)


def masked_learning_curves(
    log: Sequence[Mapping[str, Any]], best_step: int, usual: float
) -> str:
    """Draw the cross-entropy of hidden tokens by step above the accuracy.

    Args:
      log: lines of ``log.jsonl``.
      best_step: the step whose weights were kept.
      usual: cross-entropy, on validation, of what knows frequencies alone.
    """

    def draw(figure: Figure) -> None:
        loss, score = figure.subplots(2, 1, sharex=True)
        step, value = _thin(*_series(log, "train", "loss"))
        loss.plot(step, value, color=COLOURS[5], lw=1.2, label="training")
        _dotted(loss, *_series(log, "validation", "loss"), 0, "validation")
        loss.axhline(usual, color=MUTED, ls="--", lw=1.2, label="frequency")
        loss.set_title("Cross-entropy (nats)")
        _dotted(score, *_series(log, "validation", "accuracy"), 0, "validation")
        score.set_title("Accuracy")
        score.set_xlabel("training step")
        for axes in (loss, score):
            axes.axvline(best_step, color=MUTED, ls=":", lw=1.2, label="kept")
            axes.legend(loc="best")
        score.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    return draw_svg("learning", "Cross-entropy and accuracy by step", draw, height=4.2)


def confusion_matrix(count_yy: np.ndarray, classes: Sequence[str]) -> str:
    """Draw how often each class was given each answer.

    Args:
      count_yy: [y, y], reviews by label (rows) and answer (columns). The colour and
        the percentage are shares of the row, so a rare class is as legible as a
        common one. Above ten classes the cells carry no numbers.
      classes: [y], names.
    """
    count_yy = np.asarray(count_yy, float)
    share_yy = count_yy / np.maximum(count_yy.sum(axis=1, keepdims=True), 1)
    names = [_short(name) for name in classes]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.pcolormesh(share_yy, cmap="Blues", vmin=0, vmax=1.1, edgecolors=PAPER)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.grid(False)
        axes.spines[:].set_visible(False)
        ticks = np.arange(len(names)) + 0.5
        turned = {"rotation": 35, "ha": "right"} if len(names) > 3 else {}
        axes.set_xticks(ticks, names, **turned)
        axes.set_yticks(ticks, names)
        axes.set_xlabel("the model's answer")
        axes.set_ylabel("the label")
        if len(names) > 10:
            return
        for row, column in np.ndindex(share_yy.shape):
            share = share_yy[row, column]
            axes.text(
                column + 0.5,
                row + 0.5,
                f"{share:.0%}\n{count_yy[row, column]:,.0f}",
                ha="center",
                va="center",
                color=PAPER if share > 0.55 else INK,
                fontsize=10 if len(names) < 6 else 7,
            )

    return draw_svg("confusion", "Confusion matrix", draw, height=3.7)


def roc_curves(prob_ny: np.ndarray, label_n: np.ndarray, classes: Sequence[str]) -> str:
    """Draw one ROC curve a class (of class 1 alone when there are two).

    Args:
      prob_ny: [n, y], probabilities.
      label_n: [n], classes; ``NO_LABEL`` rows are ignored.
      classes: [y], names. Beyond eight, those with the most reviews are drawn.
    """

    def curve(positive_n: np.ndarray, score_n: np.ndarray):
        false, true, _ = sk.roc_curve(positive_n, score_n)
        return false, true, f"AUC {sk.auc(false, true):.3f}"

    def draw(figure: Figure) -> None:
        axes = _unit_square(figure)
        axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=":")
        _class_curves(axes, prob_ny, label_n, classes, curve)
        axes.set_xlabel("false alarms, share of the other classes")
        axes.set_ylabel("found, share of the class")
        _legend(axes, "lower right")

    return draw_svg("roc", "ROC curves", draw, height=3.9)


def precision_recall_curves(
    prob_ny: np.ndarray, label_n: np.ndarray, classes: Sequence[str]
) -> str:
    """Draw one precision-recall curve a class; arguments as in ``roc_curves``."""

    def curve(positive_n: np.ndarray, score_n: np.ndarray):
        precision, recall, _ = sk.precision_recall_curve(positive_n, score_n)
        average = sk.average_precision_score(positive_n, score_n)
        return recall, precision, f"AP {average:.3f}"

    def draw(figure: Figure) -> None:
        axes = _unit_square(figure)
        _class_curves(axes, prob_ny, label_n, classes, curve)
        axes.set_xlabel("recall: found, share of the class")
        axes.set_ylabel("precision: right, share of the answers")
        _legend(axes, "lower left")

    return draw_svg("precision-recall", "Precision-recall curves", draw, height=3.9)


def reliability(before: ReliabilityCurve, after: ReliabilityCurve) -> str:
    """Draw accuracy by confidence before and after temperature, and the counts.

    Args:
      before: the curve at temperature 1.
      after: the curve at the fitted temperature; the counts below are its own.
    """

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=":", label="ideal")
        for curve, colour, name in ((before, 1, "before"), (after, 0, "after")):
            kept = curve.count > 0
            _dotted(top, curve.confidence[kept], curve.accuracy[kept], colour, name)
        top.set(ylim=(0, 1.02), ylabel="share of right answers")
        top.legend(loc="upper left")
        for axis in (top.yaxis, bottom.xaxis):
            axis.set_major_formatter(_percent())
        bottom.stairs(after.count, after.edges, fill=True, color=COLOURS[0], alpha=0.75)
        bottom.set(xlim=(0, 1), xlabel="how sure the model says it is")
        bottom.set_ylabel("reviews")
        bottom.yaxis.set_major_locator(MaxNLocator(2, integer=True))

    return draw_svg("reliability", "Reliability before and after", draw, height=4.2)


def review_lengths(
    edges: Sequence[float], counts: Sequence[int], cap: int | None = None
) -> str:
    """Draw the histogram of review lengths in tokens, with the cap marked.

    Args:
      edges: [bins + 1], borders of the bins, in tokens.
      counts: [bins], reviews in each. The axis ends where 99.5 percent are shown.
      cap: longest review the model reads whole, in tokens; None for no cap.
    """
    count = np.asarray(counts, float)
    edge = np.asarray(edges, float)
    shown = np.searchsorted(np.cumsum(count), 0.995 * count.sum()) + 1
    right = edge[min(shown, len(edge) - 1)]
    beyond = int(count[shown:].sum())

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.stairs(count, edge, fill=True, color=COLOURS[0], alpha=0.75)
        end, remark = right, f"{beyond:,} longer reviews lie further right"
        if cap is not None and cap <= 1.6 * right:
            end = max(right, 1.06 * cap)
            axes.axvline(cap, color=COLOURS[1], lw=1.6)
            axes.annotate(
                f"cap {cap:,} ",
                (cap, 0.97),
                xycoords=("data", "axes fraction"),
                color=COLOURS[1],
                ha="right",
                va="top",
            )
        elif cap is not None:
            remark = f"the cap of {cap:,} tokens lies further right"
        axes.set(xlim=(min(edge[0], 0), end), xlabel="tokens", ylabel="reviews")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if beyond or "cap" in remark:
            axes.set_title(remark, loc="right", color=MUTED, weight="normal", size=8.5)

    return draw_svg("lengths", "Review lengths in tokens", draw, height=2.7)


def score_bars(
    systems: Mapping[str, Mapping[str, Any]],
    metrics: Mapping[str, str],
    best: Mapping[str, float],
    *,
    name: str = "scores",
) -> str:
    """Draw every system's scores with their 95 percent intervals.

    Args:
      systems: name to show -> scores as ``classification_metrics`` gives them.
      metrics: score -> name to show; one panel each.
      best: score -> the best that anyone could reach, where it is known.
      name: tells the picture from others of the page.
    """

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (metric, title) in zip(panels, metrics.items(), strict=True):
            axes.set_title(title)
            for row, scores in enumerate(systems.values()):
                _score_bar(axes, row, scores[metric])
            if best.get(metric) is not None:
                axes.axvline(best[metric], color=INK, ls="--", lw=1.1)
            axes.set_yticks(range(len(systems)), [_short(name, 20) for name in systems])
            axes.set(xlim=(0, 1.2), ylim=(len(systems) - 0.45, -0.55))
            axes.grid(False, axis="y")
            axes.spines["left"].set_visible(False)
            axes.set_xticks(np.linspace(0, 1, 6))

    height = len(metrics) * (0.45 + 0.26 * len(systems)) + 0.2
    return draw_svg(name, "Scores with 95 percent intervals", draw, height=height)


def _series(
    log: Sequence[Mapping[str, Any]], kind: str, field: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values of one field of the log, finite values only."""
    pairs = [
        (line["step"], line[field])
        for line in log
        if line.get("kind") == kind and line.get(field) is not None
    ]
    table = np.asarray(pairs, float).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbours until at most ``_MOST_POINTS`` are left."""
    if len(x) <= _MOST_POINTS:
        return x, y
    starts = np.linspace(0, len(x), _MOST_POINTS, endpoint=False).astype(int)
    size = np.diff(starts, append=len(x))
    return np.add.reduceat(x, starts) / size, np.add.reduceat(y, starts) / size


def _thin_path(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep points of a curve evenly along its length, both ends included."""
    if len(x) <= _MOST_POINTS:
        return x, y
    length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    wanted = np.linspace(0, length[-1], _MOST_POINTS)
    kept = np.unique(np.searchsorted(length, wanted).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _class_curves(
    axes: Axes,
    prob_ny: np.ndarray,
    label_n: np.ndarray,
    classes: Sequence[str],
    curve: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, str]],
) -> None:
    """Draw ``curve`` of every class that some, but not all, of the labels name."""
    known_n = np.asarray(label_n) != NO_LABEL
    prob_ny, label_n = np.asarray(prob_ny)[known_n], np.asarray(label_n)[known_n]
    support = np.bincount(label_n, minlength=len(classes))
    drawn = [y for y in range(len(classes)) if 0 < support[y] < len(label_n)]
    drawn = sorted(sorted(drawn, key=lambda y: -support[y])[:_MOST_CURVES])
    for place, y in enumerate([1] if len(classes) == 2 and drawn else drawn):
        x, height, score = curve(label_n == y, prob_ny[:, y])
        axes.plot(
            *_thin_path(x, height),
            color=COLOURS[place % len(COLOURS)],
            ls=_DASHES[place % len(_DASHES)],
            label=f"{_short(classes[y])}, {score}",
        )


def _unit_square(figure: Figure) -> Axes:
    """Return axes from 0 to 1 both ways, in percent."""
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent())
    return axes


def _dotted(axes: Axes, x: np.ndarray, y: np.ndarray, colour: int, name: str) -> None:
    """Draw a line, with dots where there are few points."""
    marker = "o" if len(x) <= 40 else None
    x, y = _thin(x, y)
    axes.plot(x, y, color=COLOURS[colour], marker=marker, ms=3.5, label=name)


def _score_bar(axes: Axes, row: int, score: Mapping[str, float | None]) -> None:
    """Draw one score with its interval and its value in figures."""
    value, low, high = score["value"], score.get("low"), score.get("high")
    if value is None:
        axes.text(0.01, row, "undefined", va="center", color=MUTED)
        return
    colour = COLOURS[0] if row == 0 else "#a9b4c0"
    axes.barh(row, value, height=0.68, color=colour)
    if low is not None and high is not None:
        axes.plot([low, high], [row, row], color=INK, lw=1.3)
    axes.text(1.19, row, f"{value:.3f}", va="center", ha="right")


def _legend(axes: Axes, place: Literal["lower left", "lower right"]) -> None:
    """Add a legend if there is anything to name."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc=place)


def _percent() -> FuncFormatter:
    """Format 0.25 as 25%."""
    return FuncFormatter(lambda value, _: f"{value:.0%}")


def _short(name: str, limit: int = 16) -> str:
    """Shorten a name for a label: ``very long class name`` -> ``very long class…``."""
    return name if len(name) <= limit else name[: limit - 1].rstrip() + "…"
