"""Writes ``golden/bert_lstm.npz`` from PyTorch, which the package does not need.

python tests/reference/make_golden_bert_lstm.py
"""

from pathlib import Path

import numpy as np
from bert_lstm_twin import everything

GOLDEN = Path(__file__).parent / "golden" / "bert_lstm.npz"


def main() -> None:
    """Write the golden file."""
    arrays = {
        f"{case}/{name}": value
        for case, found in everything().items()
        for name, value in found.items()
    }
    np.savez_compressed(GOLDEN, **arrays)
    print(f"{GOLDEN}: {len(arrays)} arrays, {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
