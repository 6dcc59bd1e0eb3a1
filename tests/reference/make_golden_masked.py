"""Write the golden file of the masked language model's parity test.

In: PyTorch and transformers. Out: ``golden/masked_xlm-roberta.npz`` beside this file::

    pip install torch transformers
    PYTHONPATH=. python tests/reference/make_golden_masked.py
"""

from pathlib import Path

import masked_twin
import numpy as np

from reviewintent_jax.data.unigram import UnigramSpec, train_unigram

GOLDEN = Path(__file__).parent / "golden" / "masked_xlm-roberta.npz"


def main() -> None:
    """Learn a tokenizer, ask PyTorch, write the file."""
    tokenizer = train_unigram(masked_twin.TEXTS * 3, UnigramSpec(100, 8, 0.75))
    arrays = masked_twin.masked_model(tokenizer.to_str())
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
