"""MSDP-Net: text, behaviour and structured fields of a case -> whether, how much, when.

In: :class:`~reviewintent_jax.schema.CaseBatch`. Out: :class:`MsdpOutput`. Three
encoders make a vector of the same size of each source; attention over the sources that
a case has joins them, and its weights are returned; a shared trunk feeds three heads.
The text encoder proper (BERT) has read every text once, before; here its vectors are
read.
"""

import dataclasses
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from reviewintent_jax.models.dropout import Dropout, kept
from reviewintent_jax.models.heads import HazardHead, RegressionHead, SoftmaxHead
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.schema import CaseBatch, InputError

SOURCES = 3
"""Text, behaviour, structured: the axis ``i``."""


@dataclasses.dataclass(frozen=True)
class MsdpSpec:
    """What an MSDP-Net is made of.

    Attributes:
      use: which of text, behaviour and structured are read; False leaves a source out,
        whatever a batch says: the single-source ablations.
      features: size m of the vector of a source, of their fusion and of the trunk.
      lstnet: reads the events; its ``summary_features`` are m.
      kinds, items: numbers of event kinds and items, missing and unknown included.
      item_features: size of an item's embedding, 1 or more; kinds get 4.
      categories: [c], numbers of names of each column, missing and unknown included.
      category_features: size of a category's embedding, 1 or more.
      numbers: structured numbers f, flags of the missing included.
      text_features: size d of a text's vector; 0 where there are no texts.
      intents: 2 where intention is asked, else 0.
      value: whether the value is asked.
      intervals: of the hazard; 0 where the time is not asked.
      dropout: probability of dropping a feature in training, in [0, 1).
      source_dropout: probability of hiding a source of a case in training, in [0, 1):
        each must learn to be read without the others, and none starves because another
        was easier to read at first (Neverova et al., TPAMI 2016, "ModDrop").
    """

    use: tuple[bool, bool, bool]
    features: int
    lstnet: LSTNetSpec
    kinds: int
    items: int
    item_features: int
    categories: tuple[int, ...]
    category_features: int
    numbers: int
    text_features: int
    intents: int
    value: bool
    intervals: int
    dropout: float
    source_dropout: float

    def __post_init__(self) -> None:
        if not any(self.use):
            raise InputError("An MSDP-Net without a source reads nothing.")
        for name in ("features", "item_features", "category_features"):
            if getattr(self, name) < 1:
                raise InputError(f"network.{name} must be 1 or more.")
        for name in ("dropout", "source_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"network.{name} must lie in [0, 1).")
        if not (self.intents or self.value or self.intervals):
            raise InputError("An MSDP-Net without a head answers nothing.")


class MsdpOutput(NamedTuple):
    """Everything that is computed; jit drops what nobody reads.

    Attributes:
      source_bim: vector of each source; 0 where it is not there.
      weight_bi: attention to each source; they sum to 1, or are 0 without any source.
      trunk_bm: what the heads read.
      intent_by: float32 logits of no and yes; None where it is not asked.
      value_b: float32, standardised log(1 + value); None where it is not asked.
      hazard_bj: float32 logits of the hazards; None where the time is not asked.
    """

    source_bim: jax.Array
    weight_bi: jax.Array
    trunk_bm: jax.Array
    intent_by: jax.Array | None
    value_b: jax.Array | None
    hazard_bj: jax.Array | None


class MaskedAttention(nn.Module):
    """Additive attention over the vectors that are there (Bahdanau et al. 2015)::

        a_i = softmax_i(v . tanh(K x_i + Q mean_i(x_i) + b_i))     over what is there
        y   = sum_i a_i x_i

    The question is the mean of what is there, so that one vector may say which of the
    others to read. ``b_i``, a bias for each place, tells the places apart; without it
    (``places`` False) their order says nothing.

    Attributes:
      places: whether each place has a bias of its own.
    """

    places: bool

    @nn.compact
    def __call__(
        self, x_bim: Float[Array, "b i m"], there_bi: Bool[Array, "b i"]
    ) -> tuple[Float[Array, "b m"], Float[Array, "b i"]]:
        """Return the joined vector and the weights; both 0 where nothing is there."""
        features = x_bim.shape[-1]
        x_bim = jnp.where(there_bi[..., None], x_bim, 0.0)
        count_b1 = jnp.maximum(there_bi.sum(axis=-1, keepdims=True), 1)
        mean_bm = x_bim.sum(axis=-2) / count_b1
        asked_bm = nn.Dense(features, use_bias=False, name="question")(mean_bm)
        key_bim = nn.Dense(features, name="key")(x_bim) + asked_bm[:, None]
        if self.places:
            shape = x_bim.shape[-2:]
            key_bim += self.param("place", nn.initializers.zeros, shape)[None]
        score_bi = nn.Dense(1, use_bias=False, name="score")(jnp.tanh(key_bim))[..., 0]
        # A finite floor: with -inf a case without sources would have no gradient.
        score_bi = jnp.where(there_bi, score_bi, jnp.finfo(jnp.float32).min)
        weight_bi = jnp.where(there_bi, jax.nn.softmax(score_bi, axis=-1), 0.0)
        return jnp.einsum("bi,bim->bm", weight_bi, x_bim), weight_bi


class BehaviourEncoder(nn.Module):
    """Events of a case, oldest first -> one vector: embeddings, then an LSTNet."""

    spec: MsdpSpec

    @nn.compact
    def __call__(self, batch: CaseBatch, *, deterministic: bool) -> Float[Array, "b m"]:
        """Return the summary of the events; without any, of none."""
        spec = self.spec
        kind_be4 = nn.Embed(spec.kinds, 4, name="kind")(batch.event_kind_be)
        item_bef = nn.Embed(spec.items, spec.item_features, name="item")(
            batch.event_item_be
        )
        number_bex = jnp.asarray(batch.event_number_bex)
        x_bed = jnp.concatenate([kind_be4, item_bef, number_bex], axis=-1)
        length_bk = jnp.asarray(batch.event_length_b)[:, None]
        read = LSTNet(spec.lstnet, name="lstnet")(
            x_bed, x_bed.shape[-2] - length_bk, length_bk, deterministic=deterministic
        )
        return read.summary_bkm[:, 0]


class StructuredEncoder(nn.Module):
    """Categories and numbers of a case -> one vector: embeddings, then an MLP."""

    spec: MsdpSpec

    @nn.compact
    def __call__(self, batch: CaseBatch, *, deterministic: bool) -> Float[Array, "b m"]:
        """Return the vector; ``deterministic`` turns dropout off."""
        spec = self.spec
        category_bc = jnp.asarray(batch.category_bc)
        parts = [jnp.asarray(batch.number_bf)]
        for c, names in enumerate(spec.categories):
            embed = nn.Embed(names, spec.category_features, name=f"category_{c}")
            parts.append(embed(category_bc[:, c]))
        x_bf = jnp.concatenate(parts, axis=-1)
        x_bm = nn.gelu(nn.Dense(2 * spec.features, name="up")(x_bf))
        x_bm = Dropout(spec.dropout)(x_bm, deterministic=deterministic)
        return nn.Dense(spec.features, name="down")(x_bm)


class TextEncoder(nn.Module):
    """Vectors of a case's texts -> one vector: dense, then attention over the texts."""

    spec: MsdpSpec

    @nn.compact
    def __call__(self, batch: CaseBatch, *, deterministic: bool) -> Float[Array, "b m"]:
        """Return the vector; ``deterministic`` turns dropout off."""
        text_bkd = nn.LayerNorm(name="scale")(jnp.asarray(batch.text_bkd))
        dropped = Dropout(self.spec.dropout)(text_bkd, deterministic=deterministic)
        x_bkm = nn.gelu(nn.Dense(self.spec.features, name="read")(dropped))
        there_bk = jnp.asarray(batch.text_there_bk)
        joined_bm, _ = MaskedAttention(places=True, name="texts")(x_bkm, there_bk)
        return nn.Dense(self.spec.features, name="out")(joined_bm)


def _some_hidden(there_bi: Array, key: Array, rate: float) -> Array:
    """Hides each source with probability ``rate``, but never all that a case has."""
    left_bi = there_bi & (kept(key, there_bi.shape, rate) > 0)
    return jnp.where(left_bi.any(axis=-1, keepdims=True), left_bi, there_bi)


class MsdpNet(nn.Module):
    """Parameters ``text``, ``behaviour``, ``structured`` (those that are read),
    ``fusion``, ``trunk`` and the heads ``intent``, ``value``, ``hazard``.
    """

    spec: MsdpSpec

    @nn.compact
    def __call__(self, batch: CaseBatch, *, deterministic: bool) -> MsdpOutput:
        """Answer every case; empty places get answers without meaning."""
        spec = self.spec
        use_i = jnp.array(spec.use)
        there_bi = jnp.asarray(batch.there_bi) & use_i[None]
        if not deterministic and spec.source_dropout:
            there_bi = _some_hidden(
                there_bi, self.make_rng("dropout"), spec.source_dropout
            )
        kinds = TextEncoder, BehaviourEncoder, StructuredEncoder
        names = "text", "behaviour", "structured"
        size = there_bi.shape[0], spec.features
        vectors = []
        for used, kind, name in zip(spec.use, kinds, names, strict=True):
            if not used:
                vectors.append(jnp.zeros(size))
                continue
            x_bm = kind(spec, name=name)(batch, deterministic=deterministic)
            # One scale for all sources, so that none drowns the others at first.
            vectors.append(nn.LayerNorm(name=f"{name}_norm")(x_bm))
        source_bim = jnp.stack(vectors, axis=1)
        source_bim = jnp.where(there_bi[..., None], source_bim, 0.0)
        fuse = MaskedAttention(places=True, name="fusion")
        fused_bm, weight_bi = fuse(source_bim, there_bi)
        trunk_bm = nn.gelu(nn.Dense(spec.features, name="trunk")(fused_bm))
        return MsdpOutput(
            source_bim, weight_bi, trunk_bm, *self._answers(trunk_bm, deterministic)
        )

    def _answers(
        self, trunk_bm: Array, deterministic: bool
    ) -> tuple[Array | None, Array | None, Array | None]:
        """The heads that are asked."""
        spec, still = self.spec, {"deterministic": deterministic}
        intent = value = hazard = None
        if spec.intents:
            head = SoftmaxHead(spec.intents, spec.dropout, name="intent")
            intent = head(trunk_bm[:, None], **still)[:, 0]
        if spec.value:
            value = RegressionHead(spec.dropout, name="value")(trunk_bm, **still)
        if spec.intervals:
            head = HazardHead(spec.intervals, spec.dropout, name="hazard")
            hazard = head(trunk_bm, **still)
        return intent, value, hazard
