"""Token ids of a training review -> ids with some deleted, replaced or moved.

Train only: validation, test and prediction never come here. What happens to a review
depends on (seed, epoch, review) alone, so a resumed run sees exactly what the unbroken
run would have seen, in whatever order and on however many hosts the reviews come.
"""

import dataclasses

import numpy as np

from reviewintent_jax.schema import InputError

SHUFFLE_WINDOW = 3
"""A token moves at most this many places."""


@dataclasses.dataclass(frozen=True)
class AugmentSpec:
    """Rates of the three augmentations, applied in this order.

    Attributes:
      delete: probability, 0 to below 1, that a token is deleted.
      replace: probability, 0 to 1, that a token becomes a random vocabulary entry.
      shuffle: share of tokens, 0 to 1, that are drawn to change places with neighbours
        at most three places away.
    """

    delete: float
    replace: float
    shuffle: float

    def __post_init__(self):
        for name in ("delete", "replace", "shuffle"):
            rate = getattr(self, name)
            if not 0.0 <= rate <= 1.0 or (name == "delete" and rate == 1.0):
                raise InputError(
                    f"augment.{name} is {rate}, which is not a probability"
                    + (" below 1." if name == "delete" else "."),
                    where=f"field augment.{name}",
                    fix="Give a number from 0 (off) to 1.",
                )


def augment_ids(
    ids: np.ndarray,
    spec: AugmentSpec,
    *,
    key: tuple[int, int, int],
    replacement_ids: np.ndarray,
) -> np.ndarray:
    """Augments one review.

    Example (delete): ``[7, 8, 9]`` with the middle token drawn is ``[7, 9]``. At least
    one token always stays.

    Args:
      ids: int32 [l], token ids without special tokens.
      spec: rates; with all three zero ``ids`` itself is returned.
      key: seed (0 to 2**64 - 1), epoch (0 to 2**24 - 1), review (0 to 2**40 - 1).
      replacement_ids: int32, the ids that may be inserted, at least one.

    Returns:
      int32 [at most l], at least one token unless ``ids`` is empty. ``ids`` itself is
      never changed.
    """
    length = len(ids)
    if length == 0 or not (spec.delete or spec.replace or spec.shuffle):
        return ids
    random = _generator(key)
    if spec.delete:
        ids = _delete(ids, spec.delete, random)
    if spec.replace:
        ids = _replace(ids, spec.replace, random, replacement_ids)
    if spec.shuffle and len(ids) > 1:
        ids = _shuffle(ids, spec.shuffle, random)
    return ids


def _generator(key: tuple[int, int, int]) -> np.random.Generator:
    """A stream of its own for every (seed, epoch, review): Philox is keyed by them."""
    seed, epoch, review = key
    word = (epoch << 40) | review
    return np.random.Generator(np.random.Philox(key=(word << 64) | seed))


def _delete(ids: np.ndarray, rate: float, random: np.random.Generator) -> np.ndarray:
    """Drops tokens; where all would go, the one with the luckiest draw stays."""
    draw_l = random.random(len(ids), dtype=np.float32)
    keep_l = draw_l >= rate
    if not keep_l.any():
        keep_l[draw_l.argmax()] = True
    return ids[keep_l]


def _replace(
    ids: np.ndarray,
    rate: float,
    random: np.random.Generator,
    replacement_ids: np.ndarray,
) -> np.ndarray:
    """Puts random vocabulary entries in the place of tokens."""
    draw_l = random.random(len(ids), dtype=np.float32)
    new_l = replacement_ids[random.integers(len(replacement_ids), size=len(ids))]
    return np.where(draw_l < rate, new_l, ids)


def _shuffle(ids: np.ndarray, rate: float, random: np.random.Generator) -> np.ndarray:
    """Sorts by position plus noise: drawn tokens jump, the others make room.

    Noise within half a window plus one each way keeps every displacement within
    ``SHUFFLE_WINDOW`` (Lample et al. 2018, arXiv:1711.00043, section 2.3).
    """
    draw_l, noise_l = random.random((2, len(ids)), dtype=np.float32)
    reach = (noise_l - np.float32(0.5)) * (SHUFFLE_WINDOW + 1)
    place_l = np.arange(len(ids)) + np.where(draw_l < rate, reach, np.float32(0.0))
    return ids[np.argsort(place_l, kind="stable")]
