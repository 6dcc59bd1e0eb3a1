"""BERT-LSTM written again in PyTorch: both readings of the paper, and what they say.

Nothing here imports the package under test. A BERT of ``transformers``, PyTorch's own
LSTM over packed sequences of different lengths, its own dense layers. Needs torch and
transformers; ``make_golden_bert_lstm.py`` writes these arrays to a file, and the live
tests compare with them directly.
"""

import json

import numpy as np
import torch
import transformers
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CONFIG = transformers.BertConfig(
    vocab_size=19,
    hidden_size=6,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=10,
    max_position_embeddings=13,
    type_vocab_size=2,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
LENGTHS = (5, 2, 9, 3)  # tokens of a review, the special ones included
WORDS = (3, 0, 6, 1)  # words of a review: one of them has none
STATES, VOCABULARY, VECTOR, HIDDEN, CLASSES = 4, 11, 7, 5, 3


def last_states(lstm: nn.LSTM, x: torch.Tensor, lengths: tuple) -> torch.Tensor:
    """Last state of each direction, ``[n, directions * r]``; 0 where there is no step.

    PyTorch refuses a sequence without a step, so such a one is left out.
    """
    kept = [i for i, length in enumerate(lengths) if length]
    packed = pack_padded_sequence(
        x[kept],
        torch.tensor([lengths[i] for i in kept]),
        batch_first=True,
        enforce_sorted=False,
    )
    _, (states, _) = lstm(packed)
    directions = 2 if lstm.bidirectional else 1
    newest = torch.cat(list(states[-directions:]), dim=1)
    out = x.new_zeros(len(lengths), newest.shape[1])
    out[kept] = newest
    return out


class Sequential(nn.Module):
    """Token states -> bidirectional LSTM -> dense (dropout is off)."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = transformers.BertModel(CONFIG, add_pooling_layer=False)
        self.lstm = nn.LSTM(
            CONFIG.hidden_size, STATES, batch_first=True, bidirectional=True
        )
        self.classify = nn.Linear(2 * STATES, CLASSES)

    def forward(self, tokens, mask, words):
        states = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        return self.classify(last_states(self.lstm, states, LENGTHS))


class Parallel(nn.Module):
    """[CLS] beside an LSTM over word vectors -> dense ReLU -> dense."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = transformers.BertModel(CONFIG, add_pooling_layer=False)
        self.table = nn.Embedding(VOCABULARY, VECTOR)
        self.lstm = nn.LSTM(VECTOR, STATES, batch_first=True)
        self.hidden = nn.Linear(CONFIG.hidden_size + STATES, HIDDEN)
        self.classify = nn.Linear(HIDDEN, CLASSES)

    def forward(self, tokens, mask, words):
        states = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        read = last_states(self.lstm, self.table(words), WORDS)
        both = torch.cat([states[:, 0], read], dim=1)
        return self.classify(torch.relu(self.hidden(both)))


MODELS = {"sequential": Sequential, "parallel": Parallel}


def _lively(module: nn.Module) -> nn.Module:
    """Weights large enough that every wrong wire shows."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(
                float("LayerNorm.weight" in name) + 0.4 * torch.randn_like(weight)
            )
    return module.eval()


def whole(name: str) -> dict[str, np.ndarray]:
    """Inputs, weights, logits, and gradients of a weighted sum of the logits."""
    torch.manual_seed(sorted(MODELS).index(name))
    model = _lively(MODELS[name]())
    tokens = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    words = torch.zeros(len(WORDS), max(WORDS), dtype=torch.long)
    for row, (length, count) in enumerate(zip(LENGTHS, WORDS, strict=True)):
        tokens[row, :length] = torch.randint(1, CONFIG.vocab_size, (length,))
        words[row, :count] = torch.randint(0, VOCABULARY, (count,))
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    logits = model(tokens, mask.long(), words)
    weight = torch.randn(logits.shape)
    (logits * weight).sum().backward()
    config = {**CONFIG.to_dict(), "architectures": ["BertModel"]}
    found = {
        "config": np.array(json.dumps(config)),
        "tokens": tokens.numpy(),
        "words": words.numpy(),
        "lengths": np.array(LENGTHS),
        "word_lengths": np.array(WORDS),
        "logits": logits.detach().numpy(),
        "logit_weight": weight.numpy(),
    }
    for part, parameter in model.named_parameters():
        found[f"param/{part}"] = parameter.detach().numpy()
        found[f"grad/{part}"] = parameter.grad.numpy()
    return found


def reader(layers: int = 2, seed: int = 5) -> dict[str, np.ndarray]:
    """A bidirectional LSTM of some layers alone: all states, last ones, gradients."""
    torch.manual_seed(seed)
    lstm = _lively(nn.LSTM(3, STATES, layers, batch_first=True, bidirectional=True))
    x = torch.randn(len(LENGTHS), max(LENGTHS), 3, requires_grad=True)
    packed = pack_padded_sequence(
        x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    states = pad_packed_sequence(lstm(packed)[0], batch_first=True)[0]
    last = last_states(lstm, x, LENGTHS)
    weight = torch.randn(last.shape)
    (last * weight).sum().backward()
    found = {
        "x": x.detach().numpy(),
        "x_grad": x.grad.numpy(),
        "states": states.detach().numpy(),
        "last": last.detach().numpy(),
        "weight": weight.numpy(),
        "lengths": np.array(LENGTHS),
    }
    for part, parameter in lstm.named_parameters():
        found[f"param/{part}"] = parameter.detach().numpy()
        found[f"grad/{part}"] = parameter.grad.numpy()
    return found


def everything() -> dict[str, dict[str, np.ndarray]]:
    """All cases by name."""
    return {"reader": reader()} | {name: whole(name) for name in MODELS}
