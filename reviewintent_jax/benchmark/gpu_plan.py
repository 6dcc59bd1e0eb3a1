"""What is measured on a GPU: sizes of the network, of its batches, and how often.

In: nothing. Out: :func:`full_plan`, for a GPU, and :func:`tiny_plan`, which any machine
runs in a minute, to see that all of it works.
"""

import dataclasses

from reviewintent_jax.benchmark.encoders import ENCODERS
from reviewintent_jax.models.encoder_spec import (
    AttentionPath,
    ComputeDtype,
    EncoderSpec,
    EpiloguePath,
)
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.models.review_intent import ReviewIntentSpec
from reviewintent_jax.training.optimizer import OptimizerSpec

_CLASSES = 2
_LSTNET = LSTNetSpec(  # of configs/base.py; a test compares them
    kernel_sizes=(3, 5, 7),
    channels=64,
    padding=Padding.CAUSAL,
    recurrent_features=128,
    recurrent_layers=2,
    candidate=Candidate.RELU,
    skip_period=8,
    skip_features=16,
    fusion=Fusion.SKIP,
    highway_window=128,
    summary_features=128,
    dropout=0.1,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
_OPTIMIZER = OptimizerSpec(
    encoder_rate=2e-5,
    head_rate=1e-3,
    history_rate=0.0,
    warmup_steps=50,
    decay_every_steps=1_000,
    decay_factor=0.9,
    weight_decay=0.01,
    clip_norm=1.0,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Sizes and numbers.

    Attributes:
      encoder: of the network; without dropout of attention, which the fast paths and
        both sides leave out.
      lstnet, optimizer: the rest of it.
      data: names of ``lengths.json`` whose reviews are trained on.
      cap: tokens of the longest review, and of a page.
      train_tokens: places for tokens in an update.
      reviews: that are drawn; batches come round again.
      updates: of a round of training.
      score_reviews: numbers of reviews that are scored at once.
      calls: of a round of scoring.
      latency_tokens, latency_calls: of single reviews.
      side: of the matrices whose product is the peak.
      unrolls: of the scans that are tried.
      rounds: of everything.
      seconds: in all; a part that would not end in them does not begin. 0 = no limit.
      compile_torch: whether PyTorch's encoder is compiled as well.
    """

    encoder: EncoderSpec
    lstnet: LSTNetSpec
    optimizer: OptimizerSpec
    data: tuple[str, ...]
    cap: int
    train_tokens: int
    reviews: int
    updates: int
    score_reviews: tuple[int, ...]
    calls: int
    latency_tokens: tuple[int, ...]
    latency_calls: int
    side: int
    unrolls: tuple[int, ...]
    rounds: int
    seconds: float
    compile_torch: bool

    def model(self, block_tokens: int) -> ReviewIntentSpec:
        """The network, with attention inside so many tokens."""
        return ReviewIntentSpec(
            self.encoder, self.lstnet, _CLASSES, 0.1, block_tokens, None
        )

    def with_attention(self, path: AttentionPath) -> "Plan":
        """The same with another path of attention."""
        encoder = dataclasses.replace(self.encoder, attention=path)
        return dataclasses.replace(self, encoder=encoder)

    def with_epilogues(self, path: EpiloguePath) -> "Plan":
        """The same with other epilogues of the encoder's layers."""
        encoder = dataclasses.replace(self.encoder, epilogues=path)
        return dataclasses.replace(self, encoder=encoder)

    def with_scan(self, fusion: GateFusion, unroll: int) -> "Plan":
        """The same with other settings of the scans."""
        lstnet = dataclasses.replace(self.lstnet, gate_fusion=fusion, unroll=unroll)
        return dataclasses.replace(self, lstnet=lstnet)

    def scoring_one(self) -> "Plan":
        """The same, scoring one review at a time."""
        return dataclasses.replace(self, score_reviews=(1,))


def full_plan() -> Plan:
    """BERT-base in bfloat16, for one H100 or H200."""
    encoder = dataclasses.replace(
        ENCODERS["BERT-base"],
        attention_dropout=0.0,
        dtype=ComputeDtype.BFLOAT16,
    )
    return Plan(
        encoder=encoder,
        lstnet=_LSTNET,
        optimizer=_OPTIMIZER,
        data=("yelp10k", "airline_tweets"),
        cap=128,
        train_tokens=65_536,
        reviews=65_536,
        updates=10,
        score_reviews=(512, 2_048),
        calls=10,
        latency_tokens=(32, 128),
        latency_calls=200,
        side=8_192,
        unrolls=(1,),
        rounds=5,
        seconds=560.0,
        compile_torch=True,
    )


def tiny_plan() -> Plan:
    """The same in miniature: seconds on a CPU, and no figure of it means anything."""
    full = full_plan()
    encoder = dataclasses.replace(
        full.encoder,
        vocab_size=97,
        hidden_size=32,
        num_layers=2,
        num_heads=2,
        intermediate_size=48,
        dtype=ComputeDtype.FLOAT32,
    )
    lstnet = dataclasses.replace(
        full.lstnet,
        kernel_sizes=(2, 3),
        channels=5,
        recurrent_features=7,
        skip_period=4,
        skip_features=3,
        highway_window=6,
        summary_features=9,
    )
    return dataclasses.replace(
        full,
        encoder=encoder,
        lstnet=lstnet,
        data=("airline_tweets",),
        cap=32,
        train_tokens=128,
        reviews=64,
        updates=2,
        score_reviews=(2, 3),
        calls=2,
        latency_tokens=(16, 32),
        latency_calls=3,
        side=64,
        unrolls=(1,),
        rounds=2,
        seconds=0.0,
        compile_torch=False,
    )
