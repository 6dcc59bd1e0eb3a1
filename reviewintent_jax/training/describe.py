"""What a model is made of, in lines for people, before it learns."""

from reviewintent_jax.data.word_vectors import WordVectors
from reviewintent_jax.data.words import WordLookup
from reviewintent_jax.models.review_intent import ReviewIntentSpec


def model_line(spec: ReviewIntentSpec) -> str:
    """What the network is made of."""
    encoder, parts = spec.encoder, [f"Model: {spec.title}"]
    if encoder is not None:
        size = f"{encoder.num_layers} x {encoder.hidden_size}"
        parts.append(f"an encoder of the family {encoder.family} of {size}")
    parts.append(f"{spec.classes} classes")
    second = spec.history
    more = f"; a second LSTNet, {second.classes} intentions" if second else ""
    return ", ".join(parts) + more


def word_lines(words: WordLookup | None, vectors: WordVectors | None) -> list[str]:
    """How many words have a vector, and where those come from."""
    if words is None:
        return []
    known = len(words.vocabulary) - 1
    line = f"Words: {known:,} words of the training reviews have a vector of their own"
    if vectors is None:
        return [line]
    left = f", {vectors.malformed:,} of {vectors.lines:,} lines left out"
    return [
        f"{line}, {vectors.found:,} of them begin with the file's"
        + left * (vectors.malformed > 0)
    ]
