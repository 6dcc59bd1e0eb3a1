"""What ``metrics.json`` says of the data: counts, lengths, the best one could do."""

import numpy as np

from reviewintent_jax.data.bazaar import best_possible
from reviewintent_jax.data.pages import PageSpec, slot_lengths
from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.data.splits import SET_ASIDE, TEST
from reviewintent_jax.training.files import Facts


def data_summary(prepared: Prepared, pages: PageSpec) -> Facts:
    """Counts of the data and the lengths of the reviews that were used."""
    counts = prepared.store.lengths()[prepared.split_n != SET_ASIDE]
    lengths = slot_lengths(counts, pages)
    # Lengths before the cut: what the histogram and the cap beside it are about.
    whole = counts + (lengths.slot_n - lengths.kept_n)
    top = int(np.percentile(whole, 99.5)) + 1
    width = max(1, -(-top // 40))  # whole tokens, or the bars would look like a comb
    edges = np.arange(0, top + width + 1, width)
    histogram, edges = np.histogram(np.minimum(whole, top), bins=edges)
    return prepared.summary | {
        "tokens": {
            "mean": float(whole.mean()),
            "median": float(np.median(whole)),
            "p95": float(np.percentile(whole, 95)),
            "max": int(whole.max()),
            "cap": pages.max_tokens,
            "cut_reviews": int((counts > lengths.kept_n).sum()),
            "cut_tokens": int((counts - lengths.kept_n).sum()),
            "histogram": {"edges": edges.tolist(), "counts": histogram.tolist()},
        }
    }


def best_achievable(prepared: Prepared) -> Facts | None:
    """Scores of the rule that knows how the built-in shop works, on the test split."""
    test = prepared.labelled(TEST)
    truth = prepared.truth_n[test]
    if len(prepared.labels.classes) != 2 or np.isnan(truth).any():
        return None
    return best_possible(truth, prepared.label_n[test])
