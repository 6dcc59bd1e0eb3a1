"""Measures a GPU in one call of ten minutes: ``python -m launch.gpu_benchmark``.

Needs jax, flax, optax, orbax and PyTorch, nothing else of what the product installs.
Writes ``docs/results/gpu_benchmark.json``, after every part anew, so that a call that
is cut short leaves what it had. ``--tiny`` runs all of it in miniature on any machine;
``--page`` measures nothing and writes ``docs/gpu.md`` of what is there.
"""

import argparse
import json
import os
import platform
import sys
import types
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "torch")


def without_jaxtyping() -> None:
    """Lets modules whose signatures carry shapes be imported without jaxtyping.

    Shapes are checked in tests alone; here ``Float[Array, "b t"]`` is just ``Array``.
    """
    import jax

    class Shaped:
        """Stands for every kind of number."""

        def __class_getitem__(cls, item: Any) -> Any:
            return item[0]

    stand_in: Any = types.ModuleType("jaxtyping")
    stand_in.Array = jax.Array
    for kind in ("Float", "Int", "Bool"):
        setattr(stand_in, kind, Shaped)
    sys.modules["jaxtyping"] = stand_in


def environment() -> dict[str, Any]:
    """Versions and device, for the record."""
    import jax

    found: dict[str, Any] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    found["device"] = jax.devices()[0].device_kind
    found["platform"] = jax.default_backend()
    return found


def write_page(output: Path) -> None:
    """Writes the page of results, beside their folder."""
    from reviewintent_jax.benchmark.gpu_page import gpu_page

    records = (output, output.with_name("gpu_development.json"))
    results, development = (json.loads(each.read_text("utf-8")) for each in records)
    page = gpu_page(results, development)
    (output.parent.parent / "gpu.md").write_text(page, "utf-8")


def main() -> None:
    """Sizes in, records out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--output", help="docs/results/gpu_benchmark.json by default")
    parser.add_argument("--tiny", action="store_true", help="in miniature")
    parser.add_argument("--seconds", type=float, help="in all; 0 = no limit")
    parser.add_argument("--rounds", type=int, help="of everything")
    parser.add_argument("--commit", default="unknown", help="what is measured")
    parser.add_argument("--page", action="store_true", help="docs/gpu.md alone")
    chosen = parser.parse_args()
    kept = "runs/gpu_tiny.json" if chosen.tiny else "docs/results/gpu_benchmark.json"
    output = Path(chosen.output or kept)
    if chosen.page:
        if not output.is_file():
            parser.error(
                f"There are no results in {output}; --output names their file."
            )
        write_page(output)
        return
    # PyTorch needs memory as well; by default JAX takes three quarters at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import jaxtyping  # noqa: F401
    except ImportError:
        without_jaxtyping()
    import dataclasses

    import jax

    from reviewintent_jax.benchmark.gpu import measure_gpu
    from reviewintent_jax.benchmark.gpu_plan import full_plan, tiny_plan

    if not chosen.tiny and jax.default_backend() != "gpu":
        parser.error(
            f"JAX finds no GPU here, but {jax.default_backend()}. Install .[gpu] where "
            "there is one; --tiny runs everything in miniature on any device."
        )
    plan = tiny_plan() if chosen.tiny else full_plan()
    given = {"seconds": chosen.seconds, "rounds": chosen.rounds}
    given = {name: value for name, value in given.items() if value is not None}
    plan = dataclasses.replace(plan, **given)
    output.parent.mkdir(parents=True, exist_ok=True)
    about = {"commit": chosen.commit, "environment": environment(), "tiny": chosen.tiny}
    about["plan"] = {"rounds": plan.rounds, "seconds": plan.seconds}

    def keep(records: dict[str, Any]) -> None:
        part = output.with_name(output.name + ".part")
        part.write_text(json.dumps({**about, "parts": records}, indent=1) + "\n")
        part.replace(output)  # never half of it
        print(json.dumps({name: records[name] for name in list(records)[-1:]}))

    measure_gpu(plan, keep)


if __name__ == "__main__":
    main()
