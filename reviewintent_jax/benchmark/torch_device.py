"""Where PyTorch computes beside JAX: on the same kind of device, or not at all."""

from typing import Any

import jax

from reviewintent_jax.benchmark.absent import AbsentError


def torch_device(torch: Any) -> str:
    """``cuda`` where JAX has a GPU, else ``cpu``.

    Raises:
      AbsentError: JAX has a GPU, and this PyTorch was built without.
    """
    if jax.default_backend() != "gpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise AbsentError("PyTorch is here, but without CUDA")
    return "cuda"
