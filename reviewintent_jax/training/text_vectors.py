"""Texts -> one vector each, by an encoder that is not trained: pages encoded once.

In: distinct texts. Out: float32 ``[v, d]``, the mean of the encoder's states over the
tokens of each text. Whoever reads a text in many cases reads its one vector.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from reviewintent_jax.data.batches import PageSource, eval_batches, prefetch
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.evaluation.scoring import pages_at_once
from reviewintent_jax.models.encoder import Encoder, EncoderSpec
from reviewintent_jax.models.slots import slot_members, slot_positions
from reviewintent_jax.schema import NO_LABEL, PageBatch
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.sharding import answers_on


class SlotMeans(nn.Module):
    """The mean state of each slot's tokens; parameters ``encoder``.

    Attributes:
      spec: of the encoder.
      block_tokens: what attention spans.
    """

    spec: EncoderSpec
    block_tokens: int

    @nn.compact
    def __call__(self, batch: PageBatch, *, deterministic: bool) -> jax.Array:
        """Return float32 ``[b, k, d]``; 0 where a slot is empty."""
        encoder = Encoder(self.spec, self.block_tokens, name="encoder")
        read = encoder(
            jnp.asarray(batch.token_ids_bt),
            jnp.asarray(batch.segment_ids_bt),
            jnp.asarray(batch.position_ids_bt),
            deterministic=deterministic,
        )
        start_bk = jnp.asarray(batch.slot_start_bk)
        length_bk = jnp.asarray(batch.slot_length_bk)
        steps = batch.token_ids_bt.shape[-1]
        position_bt = slot_positions(start_bk, length_bk, steps)
        member_bkt = slot_members(start_bk, length_bk, position_bt)
        hidden_btd = read.hidden_btd.astype(jnp.float32)
        # Padding holds finite values without meaning, and 0 times them is 0.
        summed = jnp.einsum("bkt,btd->bkd", member_bkt.astype(jnp.float32), hidden_btd)
        return summed / jnp.maximum(length_bk, 1)[..., None]


def encode_texts(
    texts: tuple[str, ...],
    tokenizer: ReviewTokenizer,
    encoder: tuple[EncoderSpec, Any],
    pages: PageSpec,
    mesh: Mesh,
    *,
    batch_pages: int,
) -> np.ndarray:
    """Vectors of some texts, float32 [v, d].

    Args:
      texts: cleaned.
      tokenizer: of the encoder.
      encoder: its sizes and its parameters.
      pages: sizes of a page; a text beyond ``max_tokens`` is cut there.
      mesh: the devices that share the pages.
      batch_pages: most pages in a batch.
    """
    spec, params = encoder
    vector_vd = np.zeros((len(texts), spec.hidden_size), np.float32)
    if not texts:
        return vector_vd
    store = TokenList(tokenizer.encode(texts))
    fields = ReviewFields(
        np.full(len(texts), NO_LABEL, np.int32), np.ones(len(texts), np.float32)
    )
    source = PageSource(store, fields, tokenizer.special, pages)
    placement = Placement(mesh)
    batch_pages = pages_at_once(batch_pages, pages.page_tokens, placement.parts)
    rows = placement.rows(batch_pages)
    model = SlotMeans(spec, pages.chunk_tokens)

    def read(params: Any, batch: PageBatch) -> tuple[jax.Array, jax.Array]:
        said: Any = model.apply({"params": params}, batch, deterministic=True)
        return said, jnp.asarray(batch.review_bk)

    step = answers_on(mesh, read)
    batches = eval_batches(
        source, np.arange(len(texts)), batch_pages=batch_pages, rows=rows
    )
    with Progress("Encoding texts", "texts", total=len(texts)) as bar:
        for batch in prefetch(batches, 2):
            said = step({"encoder": params}, placement.put(batch, rows))
            vector_bkd, review_bk = map(np.asarray, said)
            filled = review_bk >= 0
            vector_vd[review_bk[filled]] = vector_bkd[filled]
            bar.update(int(filled.sum()))
    return vector_vd
