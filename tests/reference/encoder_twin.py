"""What PyTorch's transformers say about an encoder: outputs and gradients, as arrays.

Needs torch and transformers. ``make_golden_encoder.py`` writes these arrays to files,
and the live tests compare with them directly.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers

FAMILIES = {
    "bert": transformers.BertConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=17,
        type_vocab_size=2,
    ),
    "roberta": transformers.RobertaConfig(
        vocab_size=29,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=14,
        max_position_embeddings=19,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    ),
    "xlm-roberta": transformers.XLMRobertaConfig(
        vocab_size=31,
        hidden_size=10,
        num_hidden_layers=1,
        num_attention_heads=5,
        intermediate_size=18,
        max_position_embeddings=15,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        hidden_act="gelu_new",
    ),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=27,
        dim=6,
        n_layers=2,
        n_heads=2,
        hidden_dim=16,
        max_position_embeddings=13,
        activation="relu",
    ),
}
LENGTHS = (7, 3, 4)
SENTENCES = (
    "The dress runs small, but the colour is lovely and I would buy it again.",
    "Leaks after two days. Returned!",
    "ok",
)


def random_model(family: str) -> transformers.PreTrainedModel:
    """Weights large enough that every wrong wire shows."""
    torch.manual_seed(sorted(FAMILIES).index(family))
    model = transformers.AutoModel.from_config(
        FAMILIES[family], attn_implementation="eager"
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            one = "LayerNorm.weight" in name or "layer_norm.weight" in name
            weight.copy_(float(one) + 0.4 * torch.randn_like(weight))
    return model.eval()


def random_family(family: str) -> dict[str, np.ndarray]:
    """Everything the parity tests compare, for one tiny random model."""
    model = random_model(family)
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    result = {"config": np.array(json.dumps(config))}
    result |= {f"weight/{name}": w for name, w in _numpy(model.state_dict()).items()}
    inputs = _inputs(model.config)
    result |= {name: value.numpy() for name, value in inputs.items()}
    result |= _whole(model, inputs)
    result |= _parts(model, inputs)
    for row, length in enumerate(LENGTHS):
        alone = model(input_ids=inputs["input_ids"][row : row + 1, :length])
        result[f"alone_{row}"] = alone.last_hidden_state[0].detach().numpy()
    return result


def minilm(folder: Path) -> dict[str, np.ndarray]:
    """The real MiniLM on real sentences: slices and statistics, to keep it small."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager")
    model.eval()
    inputs = tokenizer(list(SENTENCES), padding=True, return_tensors="pt")
    full = _whole(model, inputs)
    result = {name: value.numpy() for name, value in inputs.items()}
    seen = result["attention_mask"][..., None]
    for name, value in full.items():
        value = value * seen if name.startswith("hidden") else value
        result |= {f"{name}/{kind}": v for kind, v in summary(value).items()}
    return result


def summary(array: np.ndarray) -> dict[str, np.ndarray]:
    """A corner of the array, and three figures that every element moves."""
    corner = array[tuple(slice(0, 6) for _ in array.shape)]
    flat = array.astype(np.float64).ravel()
    # cos makes the sum depend on where each element stands.
    signed = flat @ np.cos(np.arange(flat.size)) / np.sqrt(flat.size)
    figures = np.array([np.sqrt(np.mean(flat**2)), np.abs(flat).max(), signed])
    return {"corner": corner, "figures": figures}


def _inputs(config: transformers.PreTrainedConfig) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    rows, width = len(LENGTHS), max(LENGTHS)
    ids = torch.randint(2, config.vocab_size, (rows, width), generator=generator)
    mask = torch.arange(width)[None] < torch.tensor(LENGTHS)[:, None]
    ids = torch.where(mask, ids, config.pad_token_id)
    result = {"input_ids": ids, "attention_mask": mask.long()}
    if config.to_dict().get("type_vocab_size", 0) > 1:
        types = torch.randint(0, 2, (rows, width), generator=generator)
        result["token_type_ids"] = types
    return result


def loss_weights(shape: tuple[int, ...]) -> np.ndarray:
    """Fixed, aperiodic weights of a scalar loss."""
    size = int(np.prod(shape))
    return np.cos(1.7 * np.arange(size)).reshape(shape).astype(np.float32)


def _whole(model, inputs) -> dict[str, np.ndarray]:
    """Hidden states, pooled state, and gradients of one scalar loss."""
    model.zero_grad()
    output = model(**inputs, output_hidden_states=True)
    embedded = output.hidden_states[0]
    embedded.retain_grad()
    hidden = output.last_hidden_state
    weights = torch.from_numpy(loss_weights(tuple(hidden.shape)))
    loss = (hidden * weights * inputs["attention_mask"][..., None]).sum()
    result = {f"hidden_{i}": h for i, h in enumerate(output.hidden_states)}
    if "pooler_output" in output:
        pooled = output.pooler_output
        loss = loss + (pooled * torch.from_numpy(loss_weights(pooled.shape))).sum()
        result["pooled"] = pooled
    loss.backward()
    result |= {"loss": loss, "grad_embedded": embedded.grad}
    result |= {f"grad/{n}": w.grad for n, w in model.named_parameters()}
    return _numpy(result)


def _parts(model, inputs) -> dict[str, np.ndarray]:
    """Each part alone: output, gradient of its input, gradients of its weights."""
    distilbert = model.config.model_type == "distilbert"
    layer = (model.transformer if distilbert else model.encoder).layer[0]
    blocked = inputs["attention_mask"][:, None, None, :] == 0
    mask = blocked * torch.finfo(torch.float32).min
    if distilbert:
        parts = {
            "attention": lambda x: layer.sa_layer_norm(layer.attention(x, mask)[0] + x),
            "feed_forward": lambda x: layer.output_layer_norm(layer.ffn(x) + x),
            "layer": lambda x: layer(x, mask),
        }
    else:
        parts = {
            "attention": lambda x: layer.attention(x, mask)[0],
            "feed_forward": lambda x: layer.output(layer.intermediate(x), x),
            "layer": lambda x: layer(x, mask),
            "pooler": model.pooler,
        }
    result = {}
    for name, function in parts.items():
        found = _part(model, function, inputs["attention_mask"])
        result |= {f"{name}/{key}": value for key, value in found.items()}
    ids = {k: v for k, v in inputs.items() if k != "attention_mask"}
    found = _part_gradients(model, model.embeddings(**ids), inputs["attention_mask"])
    return result | {f"embeddings/{key}": value for key, value in found.items()}


def _part(model, function: Callable, mask) -> dict[str, np.ndarray]:
    shape = (*mask.shape, model.config.hidden_size)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    x.requires_grad_()
    result = _part_gradients(model, function(x), mask)
    return result | _numpy({"input": x, "grad_input": x.grad})


def _part_gradients(model, output, mask) -> dict[str, np.ndarray]:
    model.zero_grad()
    output = output[0] if isinstance(output, tuple) else output
    seen = mask[..., None] if output.ndim == 3 else 1
    weights = torch.from_numpy(loss_weights(tuple(output.shape)))
    (output * weights * seen).sum().backward()
    grads = {
        f"grad/{n}": w.grad for n, w in model.named_parameters() if w.grad is not None
    }
    return _numpy({"output": output, **grads})


def _numpy(arrays) -> dict[str, np.ndarray]:
    return {name: a.detach().numpy().copy() for name, a in arrays.items()}
