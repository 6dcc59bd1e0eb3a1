"""BERT in plain PyTorch, for machines that have PyTorch and no transformers.

The network of transformers' ``BertModel`` without its pooler: attention by
``scaled_dot_product_attention``, names of the weights as there, so that its state fits
(a test loads it and compares the answers). PyTorch is given, not imported.
"""

from typing import Any, NamedTuple

from reviewintent_jax.models.encoder_spec import EncoderSpec


class _Read(NamedTuple):
    """What transformers calls it, too."""

    last_hidden_state: Any


def make_bert(torch: Any, spec: EncoderSpec) -> Any:
    """A BERT of such sizes; called with ``input_ids`` and ``attention_mask``."""
    nn, width = torch.nn, spec.hidden_size

    class Embeddings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings = nn.Embedding(spec.vocab_size, width)
            self.position_embeddings = nn.Embedding(spec.max_positions, width)
            self.token_type_embeddings = nn.Embedding(spec.type_vocab_size, width)
            self.LayerNorm = nn.LayerNorm(width, eps=spec.norm_eps)
            self.drop = nn.Dropout(spec.hidden_dropout)

        def forward(self, ids: Any) -> Any:
            places = torch.arange(ids.shape[1], device=ids.device)[None]
            total = self.word_embeddings(ids) + self.position_embeddings(places)
            total = total + self.token_type_embeddings.weight[0]
            return self.drop(self.LayerNorm(total))

    class Bert(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = Embeddings()
            layers = nn.ModuleList(
                _make_layer(torch, spec) for _ in range(spec.num_layers)
            )
            self.encoder = nn.ModuleDict({"layer": layers})

        def forward(self, input_ids: Any, attention_mask: Any) -> _Read:
            x = self.embeddings(input_ids)
            mask = attention_mask[:, None, None, :].bool()
            for layer in self.encoder["layer"]:
                x = layer(x, mask)
            return _Read(x)

    return Bert()


def _make_layer(torch: Any, spec: EncoderSpec) -> Any:
    """One layer: attention, then feed-forward, a norm after each."""
    nn, functional = torch.nn, torch.nn.functional
    width, heads = spec.hidden_size, spec.num_heads

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            own = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
            output = {
                "dense": nn.Linear(width, width),
                "LayerNorm": nn.LayerNorm(width, eps=spec.norm_eps),
            }
            self.attention = nn.ModuleDict(
                {"self": nn.ModuleDict(own), "output": nn.ModuleDict(output)}
            )
            between = spec.intermediate_size
            self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, between)})
            last = {
                "dense": nn.Linear(between, width),
                "LayerNorm": nn.LayerNorm(width, eps=spec.norm_eps),
            }
            self.output = nn.ModuleDict(last)
            self.drop = nn.Dropout(spec.hidden_dropout)

        def forward(self, x: Any, mask: Any) -> Any:
            split = [
                each(x).unflatten(-1, (heads, width // heads)).transpose(1, 2)
                for each in self.attention["self"].values()
            ]
            rate = spec.attention_dropout if self.training else 0.0
            seen = functional.scaled_dot_product_attention(
                *split, attn_mask=mask, dropout_p=rate
            )
            out = self.attention["output"]
            added = self.drop(out["dense"](seen.transpose(1, 2).flatten(2)))
            x = out["LayerNorm"](x + added)
            wide = functional.gelu(self.intermediate["dense"](x))
            added = self.drop(self.output["dense"](wide))
            return self.output["LayerNorm"](x + added)

    return Layer()
