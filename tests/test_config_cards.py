"""What the docstrings of the configs send readers to is there, and holds it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "configs").glob("*.py"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_scores_are_looked_for_among_the_results(path):
    card = " ".join(path.read_text("utf-8").split('"""')[1].split())
    for page in re.findall(r"Scores(?: and times)?: `*(docs/[\w/]+\.md)", card):
        assert page.startswith("docs/results/")
    for page in re.findall(r"docs/[\w/]+\.md", card):
        assert (ROOT / page).is_file(), page
