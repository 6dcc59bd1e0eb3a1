"""The same network in PyTorch: transformers' encoder and an equal LSTNet head.

What people would write who fine-tune BERT with PyTorch and want an LSTNet behind it: a
batch is padded to its longest review, ``nn.GRU`` reads padded rows (all of the head is
causal, so what is padded on the right changes nothing before it) and the states at the
ends of the reviews are taken. With :func:`take_weights` it gives our answers to 1e-5,
which a test holds. PyTorch and transformers are imported when a comparison is asked
for, and by nothing else.
"""

from typing import Any

import jax

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.torch_lstnet import make_torch_lstnet, take_lstnet
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding


def import_torch() -> tuple[Any, Any]:
    """PyTorch and transformers.

    Raises:
      AbsentError: one of them is not installed.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
        import transformers
    except ImportError as error:
        raise AbsentError(
            f"{error.name} is not installed; .[bench] brings it"
        ) from None
    transformers.utils.logging.set_verbosity_error()
    return torch, transformers


def make_classifier(
    torch: Any, encoder: Any, width: int, spec: LSTNetSpec, classes: int, dropout: float
) -> Any:
    """An encoder of transformers, an LSTNet and a softmax head, as one module.

    Called with ids and mask ``[b, t]``, it returns logits ``[b, y]``. The candidate of
    ``nn.GRU`` is tanh, whatever the spec says.

    Args:
      torch: the module.
      encoder: whose ``last_hidden_state`` is read.
      width: features of that.
      spec: of the LSTNet: causal padding and fusion ``skip``.
      classes: of the answer.
      dropout: before the last layer.
    """
    assert spec.padding is Padding.CAUSAL
    assert spec.fusion is Fusion.SKIP
    nn = torch.nn

    class Classifier(nn.Module):
        """The whole of it; ``classifier`` is what is not pre-trained."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.classifier = _make_head(torch, width, spec, classes, dropout)

        def forward(self, ids: Any, mask: Any) -> Any:
            read = self.encoder(input_ids=ids, attention_mask=mask)
            return self.classifier(read.last_hidden_state, mask)

    return Classifier()


def _make_head(
    torch: Any, width: int, spec: LSTNetSpec, classes: int, dropout: float
) -> Any:
    """LSTNet and the last layer: states and mask -> logits."""
    nn = torch.nn

    class Head(nn.Module):
        """LSTNet, with dropout and for rows of many lengths, and the last layer."""

        def __init__(self) -> None:
            super().__init__()
            self.lstnet = make_torch_lstnet(torch, width, spec)
            self.classify = nn.Linear(spec.summary_features, classes)
            self.drop = nn.Dropout(spec.dropout)
            self.drop_summary = nn.Dropout(dropout)

        def forward(self, x: Any, mask: Any) -> Any:
            x = x * mask[..., None]
            convolved = self.drop(self.lstnet.convolved(x))
            length = mask.sum(dim=1)
            rows = torch.arange(x.shape[0], device=x.device)  # traced, unlike len(x)
            states, _ = self.lstnet.recurrent(convolved)
            last = [states[rows, length - 1]]
            if spec.skip_period:
                gru = self.lstnet.skip
                last.append(_skipped(torch, gru, convolved, length, spec))
            fused = self.lstnet.fuse(self.drop(torch.cat(last, dim=1)))
            summary = fused + self.linear(x, length)
            return self.classify(self.drop_summary(summary))

        def linear(self, x: Any, length: Any) -> Any:
            if not spec.highway_window:
                return 0
            own = self.lstnet
            share = _highway_share(torch, own.highway, length, x.shape[1])
            read = torch.einsum("bt,btd->bd", share.to(x.dtype), x) + own.highway_bias
            return own.map(read) if width != spec.summary_features else read

    return Head()


def _skipped(torch: Any, gru: Any, x: Any, length: Any, spec: LSTNetSpec) -> Any:
    """The last state of every phase ``[b, p r]``; 0 where a review has none."""
    period, (batch, steps, channels) = spec.skip_period, x.shape
    x = torch.nn.functional.pad(x, (0, 0, 0, -steps % period))
    phases = x.reshape(batch, -1, period, channels).transpose(1, 2)
    states, _ = gru(phases.reshape(batch * period, -1, channels))
    states = states.reshape(batch, period, -1, spec.skip_features)
    states = states.transpose(1, 2).reshape(batch, -1, spec.skip_features)
    back = torch.arange(period, 0, -1, device=x.device)
    place = length[:, None] - back[None]
    rows = torch.arange(batch, device=x.device)[:, None]
    taken = states[rows, place.clamp(min=0)] * (place >= 0)[..., None]
    return taken.reshape(batch, -1)


def _highway_share(torch: Any, weights: Any, length: Any, steps: int) -> Any:
    """What the highway reads of each step ``[b, t]``; 0 before its window."""
    window = weights.shape[0]
    step = torch.arange(steps, device=length.device)
    age = length[:, None] - 1 - step[None]
    seen = (age >= 0) & (age < window)
    weight = weights[(window - 1 - age).clamp(0, window - 1)]  # ONNX: from 0
    return torch.where(seen, weight, torch.zeros((), dtype=weight.dtype))


def take_weights(torch: Any, model: Any, params: dict[str, Any]) -> None:
    """Gives the head of ``model`` the weights of ours: ``lstnet``, ``sentiment``."""
    head, last = model.classifier, jax.device_get(params["sentiment"]["classify"])
    take_lstnet(torch, head.lstnet, params["lstnet"])
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor(last["kernel"].T))
        head.classify.bias.copy_(torch.tensor(last["bias"]))
