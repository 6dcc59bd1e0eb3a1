"""BERT-LSTM against PyTorch: the bidirectional scan 1e-5, both readings whole 1e-4.

Sequences of different lengths lie packed on one page here, and padded and masked there.
Each comparison runs twice: with the golden file, and, where torch is installed, with
PyTorch itself (``-m torch``).
"""

import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.encoder_spec import ComputeDtype
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.readers import Reader
from reviewintent_jax.models.review_intent import ReviewIntent, ReviewIntentSpec
from reviewintent_jax.models.weight_names import targets
from reviewintent_jax.models.word_reader import WordsSpec

SCAN, WHOLE = 1e-5, 1e-4
GOLDEN = Path(__file__).parent / "golden" / "bert_lstm.npz"
PAGE = 24
STARTS = (0, 5, 8, 18)  # with gaps, which must not matter


@pytest.fixture(
    params=["golden", pytest.param("live", marks=pytest.mark.torch)], scope="module"
)
def reference(request):
    """Case -> arrays."""
    if request.param == "live":
        pytest.importorskip("torch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import bert_lstm_twin
        return bert_lstm_twin.everything()
    found = {}
    for name, array in np.load(GOLDEN).items():
        case, _, rest = name.partition("/")
        found.setdefault(case, {})[rest] = array
    return found


def lstm_params(arrays, prefix, suffix, *, name="", gradient=False):
    """PyTorch's weights (or their gradients) of one direction, under our names."""
    take = {
        part: jnp.asarray(arrays[f"{prefix}{name}{part}_l{suffix}"])
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    # Two biases that are only ever added are one: the sum, with the gradient of each.
    bias = take["bias_ih"] + (0 if gradient else take["bias_hh"])
    return {
        "input_kernel": take["weight_ih"].T,
        "input_bias": bias,
        "recurrent_kernel": take["weight_hh"].T,
    }


def dense(arrays, prefix, name):
    return {
        "kernel": jnp.asarray(arrays[f"{prefix}{name}.weight"]).T,
        "bias": jnp.asarray(arrays[f"{prefix}{name}.bias"]),
    }


def packed(rows, lengths, empty):
    """Rows ``[n, t, ...]`` of which the first steps count, on one page."""
    page = np.full((1, PAGE, *rows.shape[2:]), empty, rows.dtype)
    for row, length, start in zip(rows, lengths, STARTS, strict=True):
        page[0, start : start + length] = row[:length]
    return page


def assert_trees_near(ours, theirs, tolerance):
    """Relative to an array's largest element where that is above 1."""
    ours, theirs = map(traverse_util.flatten_dict, (ours, theirs))
    assert ours.keys() == theirs.keys()
    for name, wanted in theirs.items():
        scale = max(float(np.abs(wanted).max()), 1.0)
        error = float(np.abs(ours[name] - wanted).max()) / scale
        assert error <= tolerance, f"{name} is off by {error:.2e}"


# --- the scan ---------------------------------------------------------------------


def test_two_layers_of_a_bidirectional_lstm_over_packed_slots(reference):
    arrays = reference["reader"]
    lengths = arrays["lengths"]
    spec = ReaderSpec(
        **{"kind": ReaderKind.LSTM, "reads": Reads.TOKENS, "features": 4, "layers": 2},
        **{"bidirectional": True, "kernel_sizes": (), "dropout": 0.0},
    )

    def params(prefix, *, gradient=False):
        return {
            f"{way}_{layer}": lstm_params(
                arrays, prefix, f"{layer}{end}", gradient=gradient
            )
            for layer in (0, 1)
            for way, end in (("forward", ""), ("backward", "_reverse"))
        }

    x = packed(arrays["x"], lengths, np.nan)  # what lies outside slots is ignored
    slots = jnp.array([STARTS]), jnp.array([lengths])

    def run(tree, x):
        last = Reader(spec, PAGE).apply({"params": tree}, x, *slots, deterministic=True)
        return (last[0] * arrays["weight"]).sum(), last[0]

    gradients, last = jax.jit(jax.grad(run, (0, 1), has_aux=True))(params("param/"), x)
    np.testing.assert_allclose(last, arrays["last"], atol=SCAN)
    assert_trees_near(gradients[0], params("grad/", gradient=True), SCAN)
    wanted = packed(arrays["x_grad"], lengths, 0)
    np.testing.assert_allclose(gradients[1], wanted, atol=SCAN)


# --- whole models -----------------------------------------------------------------


def encoder_of(arrays, folder):
    """Spec and parameters of the BERT, read as any checkpoint is."""
    (folder / "config.json").write_text(str(arrays["config"]))
    weights = {
        name.removeprefix("param/bert."): array
        for name, array in arrays.items()
        if name.startswith("param/bert.")
    }
    save_file(weights, folder / "model.safetensors")
    return load_encoder(str(folder))


def encoder_gradients(spec, arrays):
    """PyTorch's gradients of the BERT under our names."""
    found = {}
    for name, (path, turned) in targets(spec).items():
        gradient = arrays.get(f"grad/bert.{name}")
        if gradient is not None:
            found[path] = gradient.T if turned else gradient
    return traverse_util.unflatten_dict(found, sep="/")


def pages_of(arrays):
    """The reviews of a case on one page, and their words where their tokens begin."""
    lengths, counts = arrays["lengths"], arrays["word_lengths"]
    spec = PageSpec(PAGE, PAGE, PAGE, len(lengths))
    page = empty_pages(1, SpecialIds(1, 2, 0), spec, words=True)
    for k, (start, length) in enumerate(zip(STARTS, lengths, strict=True)):
        page.segment_ids_bt[0, start : start + length] = k + 1
        page.position_ids_bt[0, start : start + length] = np.arange(length)
    page.slot_start_bk[0], page.slot_length_bk[0] = STARTS, lengths
    page.words.word_length_bk[0] = counts
    return page._replace(
        token_ids_bt=packed(arrays["tokens"], lengths, 0).astype(np.int32),
        words=page.words._replace(
            word_ids_bt=packed(arrays["words"], counts, -1).astype(np.int32)
        ),
    )


def reader(kind, reads, *, bidirectional):
    return ReaderSpec(
        **{"kind": kind, "reads": reads, "features": 4, "layers": 1},
        **{"bidirectional": bidirectional, "kernel_sizes": (), "dropout": 0.0},
    )


def sequential(encoder):
    read = reader(ReaderKind.LSTM, Reads.TOKENS, bidirectional=True)
    spec = ReviewIntentSpec(encoder, read, 3, 0.0, PAGE, None)

    def rest(arrays, prefix, *, gradient=False):
        return {
            "reader": {
                f"{way}_0": lstm_params(
                    arrays, prefix, f"0{end}", name="lstm.", gradient=gradient
                )
                for way, end in (("forward", ""), ("backward", "_reverse"))
            },
            "sentiment": {"classify": dense(arrays, prefix, "classify")},
        }

    return spec, rest


def parallel(encoder):
    cls = reader(ReaderKind.MEAN, Reads.CLS, bidirectional=False)
    words = reader(ReaderKind.LSTM, Reads.TOKENS, bidirectional=False)
    spec = ReviewIntentSpec(
        *(encoder, cls, 3, 0.0, PAGE, None),
        words=WordsSpec(11, 7, words, ComputeDtype.FLOAT32),
        head_features=5,
    )

    def rest(arrays, prefix, *, gradient=False):
        lstm = lstm_params(arrays, prefix, "0", name="lstm.", gradient=gradient)
        table = jnp.asarray(arrays[f"{prefix}table.weight"])
        return {
            "words": {"table": {"embedding": table}, "reader": {"forward_0": lstm}},
            "sentiment": {
                part: dense(arrays, prefix, part) for part in ("hidden", "classify")
            },
        }

    return spec, rest


@pytest.mark.parametrize(
    ("name", "make"), [("sequential", sequential), ("parallel", parallel)]
)
def test_a_reading_of_the_paper_equals_pytorch(reference, name, make, tmp_path):
    arrays = reference[name]
    encoder, weights, _ = encoder_of(arrays, tmp_path)
    spec, rest = make(encoder)
    batch, weight = pages_of(arrays), arrays["logit_weight"]

    def run(params):
        output = ReviewIntent(spec).apply({"params": params}, batch, deterministic=True)
        return (output.logits_bky[0] * weight).sum(), output.logits_bky[0]

    params = {"encoder": weights, **rest(arrays, "param/")}
    gradients, logits = jax.jit(jax.grad(run, has_aux=True))(params)
    np.testing.assert_allclose(logits, arrays["logits"], atol=WHOLE)
    wanted = rest(arrays, "grad/", gradient=True)
    wanted["encoder"] = encoder_gradients(encoder, arrays)
    assert_trees_near(gradients, wanted, WHOLE)
