"""A random XLM-R saved by PyTorch's transformers, read by us: tokenizer, pages,
encoder, and the head that guesses hidden tokens, gradients included.
"""

import json
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    plan_pages,
    slot_lengths,
)
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.models.encoder import Encoder
from reviewintent_jax.models.masked_language import MaskedLanguage, MaskedLanguageSpec
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.models.weight_names import targets
from reviewintent_jax.schema import NO_LABEL, MaskedBatch
from reviewintent_jax.training.pretrain import guess

WHOLE = 1e-4
GOLDEN = Path(__file__).parent / "golden" / "masked_xlm-roberta.npz"
PAGES = PageSpec(page_tokens=128, chunk_tokens=64, max_tokens=64, slots=7)
HEAD = {
    "lm_head.dense.weight": ("dense/kernel", True),
    "lm_head.dense.bias": ("dense/bias", False),
    "lm_head.layer_norm.weight": ("norm/scale", False),
    "lm_head.layer_norm.bias": ("norm/bias", False),
    "lm_head.bias": ("bias", False),
}
TEXTS = (
    "Чудовий магазин, раджу! Об'єктив прийшов за 2 дні 👍",
    "Жахливе обслуговування. Не рекомендую...",
    "супер",
    "Очень плохо, товар п'ять разів не працював",
    "Ok",
)


@pytest.fixture(
    params=["golden", pytest.param("live", marks=pytest.mark.torch)], scope="module"
)
def reference(request):
    stored = dict(np.load(GOLDEN))
    if request.param == "golden":
        return stored
    pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import masked_twin

        assert masked_twin.TEXTS == TEXTS
        return masked_twin.masked_model(str(stored["tokenizer"]))


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory):
    """A folder as ``save_pretrained`` leaves it: prefixed names, a head, one JSON."""
    folder = tmp_path_factory.mktemp("xlmr")
    (folder / "config.json").write_text(str(reference["config"]))
    (folder / "tokenizer.json").write_text(str(reference["tokenizer"]), "utf-8")
    save_file(under(reference, "weight/"), folder / "model.safetensors")
    return folder


def under(reference, prefix):
    found = {k: v for k, v in reference.items() if k.startswith(prefix)}
    return {name.removeprefix(prefix): array for name, array in found.items()}


def assert_near(ours, theirs, name):
    scale = max(float(np.abs(theirs).max()), 1.0)
    error = float(np.abs(np.asarray(ours) - theirs).max()) / scale
    assert error <= WHOLE, f"{name} is off by {error:.2e}"


def test_the_folder_is_read_as_xlm_roberta(reference, folder):
    spec = load_encoder(str(folder)).spec
    config = json.loads(str(reference["config"]))
    assert (spec.family, spec.pad_id, spec.position_offset) == ("xlm-roberta", 1, 2)
    assert (spec.max_positions, spec.max_tokens) == (66, 64)
    assert (spec.norm_eps, spec.type_vocab_size) == (1e-5, 1)
    assert not spec.has_pooler
    assert spec.vocab_size == config["vocab_size"]


def test_a_review_batch_through_tokenizer_and_pages_equals_pytorch(reference, folder):
    tokenizer, pretrained = ReviewTokenizer(folder), load_encoder(str(folder))
    assert tokenizer.special == (0, 2, 1)
    assert tokenizer.mask_id == tokenizer.vocab_size - 1
    ids = tokenizer.encode(TEXTS)
    for row, (framed, seen) in enumerate(
        zip(reference["input_ids"], reference["attention_mask"], strict=True)
    ):
        assert framed[seen == 1].tolist() == [0, *ids[row].tolist(), 2]
    lengths = slot_lengths(np.array(list(map(len, ids))), PAGES).slot_n
    plan = plan_pages(np.arange(len(ids)), lengths, PAGES)
    fields = ReviewFields(np.zeros(len(ids), int), np.ones(len(ids)))
    batch = build_pages(
        plan, range(plan.pages), ids.__getitem__, fields, tokenizer.special, PAGES,
        size=plan.pages,
    )  # fmt: skip
    assert (batch.slot_length_bk > 0).sum(1).max() > 1  # reviews share a page
    hidden_btd = Encoder(pretrained.spec, PAGES.chunk_tokens).apply(
        {"params": pretrained.params},
        batch.token_ids_bt,
        batch.segment_ids_bt,
        batch.position_ids_bt,
        deterministic=True,
    ).hidden_btd  # fmt: skip
    for b, k in zip(*np.nonzero(batch.review_bk >= 0), strict=True):
        review = batch.review_bk[b, k]
        start, length = batch.slot_start_bk[b, k], batch.slot_length_bk[b, k]
        theirs = reference["hidden"][review, :length]
        assert_near(hidden_btd[b, start : start + length], theirs, f"review {review}")


def masked_batch(reference):
    """PyTorch's padded rows as pages of one segment each."""
    mask, asked = reference["attention_mask"], reference["asked"]
    places = int(asked.sum(1).max())
    place_bu = np.zeros((len(mask), places), np.int32)
    target_bu = np.full_like(place_bu, NO_LABEL)
    for b, row in enumerate(asked):
        at = np.flatnonzero(row)
        place_bu[b, : len(at)] = at
        target_bu[b, : len(at)] = reference["input_ids"][b, at]
    steps = np.broadcast_to(np.arange(mask.shape[1], dtype=np.int32), mask.shape)
    return MaskedBatch(
        token_ids_bt=reference["masked_ids"].astype(np.int32),
        segment_ids_bt=mask.astype(np.int32),
        position_ids_bt=steps * mask.astype(np.int32),
        place_bu=place_bu,
        target_bu=target_bu,
        review_bk=np.arange(len(mask), dtype=np.int32)[:, None],
    )


def test_guesses_of_hidden_tokens_and_all_gradients_equal_pytorch(reference, folder):
    pretrained, batch = load_encoder(str(folder)), masked_batch(reference)
    weights = under(reference, "weight/")
    head = {
        path: weights[name].T if turned else weights[name]
        for name, (path, turned) in HEAD.items()
    }
    params = {
        "encoder": pretrained.params,
        "lm_head": traverse_util.unflatten_dict(head, sep="/"),
    }
    spec = MaskedLanguageSpec(pretrained.spec, batch.token_ids_bt.shape[1])
    known_bu = batch.target_bu != NO_LABEL

    def loss(params):
        output = MaskedLanguage(spec).apply(
            {"params": params}, batch, deterministic=True
        )
        nats_bu, _ = guess(output.logits_buv, batch.target_bu)
        return nats_bu.sum() / known_bu.sum(), output

    (value, output), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    assert_near(value, reference["loss"], "loss")
    for b, u in zip(*np.nonzero(known_bu), strict=True):
        theirs = reference["logits"][b, batch.place_bu[b, u]]
        assert_near(output.logits_buv[b, u], theirs, f"logits {b} {u}")
    flat = traverse_util.flatten_dict(grads, sep="/")
    named = {
        f"roberta.{name}": (f"encoder/{path}", turned)
        for name, (path, turned) in targets(pretrained.spec).items()
    }
    named |= {
        name: (f"lm_head/{path}", turned) for name, (path, turned) in HEAD.items()
    }
    theirs = under(reference, "grad/")
    assert set(theirs) == set(named)  # the decoder is tied: it has no weight of its own
    for name, (path, turned) in named.items():
        ours = np.asarray(flat[path])
        assert_near(ours.T if turned else ours, theirs[name], f"gradient of {name}")
