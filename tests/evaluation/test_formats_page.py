"""Every figure of a kept result is described in docs/formats.md."""

import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FREE = ("config", "environment", "parameters", "by_category", "set_aside", "left_out",
        "rejected", "classes")  # fmt: skip
"""Below these the names are those of the data, or are described elsewhere."""


def keys_of(facts):
    """All names of some figures, however deep."""
    if isinstance(facts, list):
        return {name for each in facts for name in keys_of(each)}
    if not isinstance(facts, dict):
        return set()
    below = (keys_of(value) for key, value in facts.items() if key not in FREE)
    return set(facts).union(*below)


def section(title):
    text = (DOCS / "formats.md").read_text("utf-8")
    return next(s for s in text.split("\n## ") if s.startswith(title))


@pytest.mark.parametrize(
    ("result", "title"),
    [
        ("msdp_members", "Output of a run on declared sources"),
        ("pretrain_ukrainian", "Output of a pre-training"),
    ],
)
def test_every_figure_is_described(result, title):
    facts = json.loads((DOCS / "results" / f"{result}.json").read_text("utf-8"))
    general = facts.pop("training").keys() | {"train", "validation", "test"}
    told = set(re.findall(r"`([a-z_]+)`", section(title)))
    missing = keys_of(facts) - general - {"classes"}  # of the labelled source
    assert not missing - told
