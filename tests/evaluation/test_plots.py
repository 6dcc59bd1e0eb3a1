import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from reviewintent_jax.evaluation import plots
from reviewintent_jax.evaluation.calibration import reliability_curve

CLASSES = ["bad", "so so", "good"]


def predictions(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    label_n = rng.integers(3, size=n)
    return softmax(rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[label_n], axis=1), label_n


def log_lines(steps: int):
    rng = np.random.default_rng(1)
    for step in range(1, steps + 1):
        yield {"kind": "train", "step": step, "loss": 1 / step**0.3 + rng.random() / 9}
        if step % 10 == 0:
            scores = {"loss": 1 / step**0.2, "macro_f1": 0.9, "auc": 0.95}
            yield {"kind": "validation", "step": step, **scores}


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def score_bars():
    systems = {
        "this model": {"auc": interval(0.698), "accuracy": interval(0.815)},
        "majority": {"auc": interval(0.5), "accuracy": interval(0.333)},
    }
    names = {"auc": "AUC", "accuracy": "Accuracy"}
    return plots.score_bars(systems, names, {"accuracy": 0.93})


def every_figure(n: int) -> dict[str, str]:
    prob_ny, label_n = predictions(n)
    curve = reliability_curve(prob_ny, label_n)
    counts = np.random.default_rng(2).poisson(n / 50, size=80)
    return {
        "learning": plots.learning_curves(list(log_lines(n // 5)), best_step=20),
        "confusion": plots.confusion_matrix(np.diag([5, 1_234, 0]) + 2, CLASSES),
        "roc": plots.roc_curves(prob_ny, label_n, CLASSES),
        "precision_recall": plots.precision_recall_curves(prob_ny, label_n, CLASSES),
        "reliability": plots.reliability(curve, curve),
        "lengths": plots.review_lengths(np.arange(0, 405, 5), counts, cap=128),
        "scores": score_bars(),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, str]:
    return every_figure(300)


def words(svg: str) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_every_figure_is_one_scalable_element(figures):
    for name, svg in figures.items():
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg"), name
        assert root.get("viewBox"), name
        assert root.get("width") is None, name
        assert root.get("role") == "img", name


def test_no_figure_points_outside_itself(figures):
    for name, svg in figures.items():
        for element in ElementTree.fromstring(svg).iter():
            assert not element.tag.endswith(("script", "image")), name
            for key, value in element.attrib.items():
                if key.endswith("href"):
                    assert value.startswith("#"), name


def test_every_reference_inside_a_figure_is_defined_there(figures):
    for name, svg in figures.items():
        elements = list(ElementTree.fromstring(svg).iter())
        ids = {element.get("id") for element in elements}
        for element in elements:
            for key, value in element.attrib.items():
                if key.endswith("href"):
                    assert value[1:] in ids, name
                if key == "clip-path":
                    assert value[len("url(#") : -1] in ids, name


def test_the_same_data_draw_the_same_figures(figures):
    assert every_figure(300) == figures


def test_figures_stay_small_with_very_many_predictions():
    for name, svg in every_figure(100_000).items():
        assert len(svg.encode()) < 60_000, name


def test_texts_stay_texts_with_all_their_digits(figures):
    assert "0.698" in words(figures["scores"])
    assert "1,236" in words(figures["confusion"])
    assert "so so" in words(figures["roc"])


def test_roc_legend_states_the_area(figures):
    prob_ny, label_n = predictions(300)
    area = roc_auc_score(label_n == 2, prob_ny[:, 2])
    assert f"good, AUC {area:.3f}" in words(figures["roc"])


def test_two_classes_have_one_curve():
    prob_ny, label_n = predictions(100)
    pair_ny = softmax(prob_ny[:, :2], axis=1)
    shown = words(plots.roc_curves(pair_ny, label_n % 2, ["no", "yes"]))
    assert "yes, AUC" in shown
    assert "no, AUC" not in shown


def test_class_names_are_texts_and_no_markup():
    name = "<script>&'$x_1$"
    svg = plots.confusion_matrix(np.eye(2), [name, "ok"])
    assert "<script" not in svg
    assert name in words(svg)


def test_class_names_in_any_script_draw_without_warnings():
    svg = plots.confusion_matrix(np.eye(2), ["好评", "добре"])
    assert "好评" in words(svg)


@pytest.mark.parametrize("y", [1, 12, 40])
def test_confusion_matrix_of_any_number_of_classes(y):
    svg = plots.confusion_matrix(np.ones((y, y)), [f"class {k}" for k in range(y)])
    assert f"class {y - 1}" in words(svg)


def test_curves_of_a_split_with_one_class_are_empty_and_no_error():
    prob_ny, _ = predictions(6)
    svg = plots.roc_curves(prob_ny, np.ones(6, int), CLASSES)
    assert "AUC" not in words(svg)


def test_learning_curves_leave_out_what_is_no_number():
    lines = [
        {"kind": "train", "step": 1, "loss": float("nan")},
        {"kind": "train", "step": 2, "loss": 0.5},
        {"kind": "validation", "step": 2, "loss": None},
    ]
    for log in (lines, []):
        svg = plots.learning_curves(log)
        assert "training step" in words(svg)


def test_lengths_mark_the_cap_or_say_where_it_is():
    edges, counts = np.arange(0, 110, 10), [5] * 10
    assert "cap 60" in words(plots.review_lengths(edges, counts, cap=60))
    assert "further right" in words(plots.review_lengths(edges, counts, cap=512))
    assert "cap of" not in words(plots.review_lengths(edges, counts))


def test_lengths_state_how_many_reviews_lie_beyond_the_axis():
    counts = [5000, 5000, *[0] * 97, 3]
    shown = words(plots.review_lengths(np.arange(0, 1010, 10), counts))
    assert "3 longer reviews" in shown


def test_an_undefined_score_is_called_undefined():
    nothing = {"value": None, "low": None, "high": None}
    svg = plots.score_bars({"a": {"auc": nothing}}, {"auc": "AUC"}, {})
    assert "undefined" in words(svg)


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(mpl.rcParams)
    score_bars()
    assert dict(mpl.rcParams) == before


def test_pyplot_is_never_imported():
    code = (
        "import sys, reviewintent_jax.evaluation.plots;"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
