"""A table of forty reviews, and what prepares it."""

from pathlib import Path

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.prepare import DataSpec

WORDS = ["lovely soft scarf", "broke after one day", "kettle boils", "awful smell"]


def write_reviews(path: Path, *, last: str = "the last of them") -> None:
    """Writes the table; ``last`` is the text of the last review."""
    texts = [f"{WORDS[n % 4]} number {n} of {n * 37}" for n in range(39)] + [last]
    rows = [f"{text},{5 if n % 2 else 1}" for n, text in enumerate(texts)]
    path.write_text("\n".join(["text,stars", *rows, ""]), "utf-8")


def reviews_spec(tiny_config, path: Path | str) -> DataSpec:
    """What to prepare of that table."""
    config = tiny_config.copy_and_resolve_references()
    config.data.update(kind="table", path=str(path), text="text", title="")
    config.data.label = "stars"
    return read_config(plain_values(config)).data_spec()
