"""PyTorch's AdamW with the rates, the decay and the schedule of ours."""

from typing import Any

from reviewintent_jax.training.optimizer import OptimizerSpec


def make_torch_optimizer(
    torch: Any, model: Any, spec: OptimizerSpec, *, fused: bool = False
) -> tuple[Any, Any]:
    """AdamW with our rates: decay for matrices, none for vectors; our staircase."""
    groups: dict[tuple[float, float], list] = {}
    for name, parameter in model.named_parameters():
        rate = spec.head_rate if "classifier" in name else spec.encoder_rate
        decay = spec.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        betas=(spec.beta1, spec.beta2),
        eps=spec.epsilon,
        fused=fused or None,
    )

    def factor(count: int) -> float:
        stairs = count // spec.decay_every_steps if spec.decay_every_steps else 0
        warm = min(1.0, (count + 1) / spec.warmup_steps) if spec.warmup_steps else 1.0
        return warm * spec.decay_factor**stairs

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
