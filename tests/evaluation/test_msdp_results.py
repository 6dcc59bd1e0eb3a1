"""What is kept of runs on declared sources, and what it must show."""

import json
from pathlib import Path

import pytest

from reviewintent_jax.data.bazaar_members import CARRIERS
from reviewintent_jax.evaluation.msdp_results import write_msdp_results

KEPT = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def members():
    return json.loads((KEPT / "msdp_members.json").read_text("utf-8"))


def test_the_kept_shop_run_follows_the_source_that_carries(members):
    weights = members["fusion"]["by_category"]["club"]
    assert {club: max(w, key=w.get) for club, w in weights.items()} == CARRIERS


def test_in_the_kept_shop_run_fusion_beats_every_source(members):
    scores = {"intent": "auc", "value": "rmsle", "time": "concordance"}
    for source in ("text", "behaviour", "structured"):
        for task, score in scores.items():
            gained = members["differences"][f"{source}_alone"][task][score]
            assert gained["low"] > 0, (task, source)


def test_names_without_a_complete_case_are_left_out(members, tmp_path):
    members["fusion"]["by_category"] = {"land": {"Oslo": None}}
    page = write_msdp_results([members], tmp_path, "msdp.md", lambda config: "command")
    assert "| fusion weights by land |" in page.read_text("utf-8")
    assert "Oslo" not in page.read_text("utf-8")


def test_the_page_has_the_weights_by_category(members, tmp_path):
    page = write_msdp_results([members], tmp_path, "msdp.md", lambda config: "command")
    text = page.read_text("utf-8")
    assert "| fusion weights by club | text | behaviour | structured |" in text
    voice = members["fusion"]["by_category"]["club"]["voice"]["text"]
    assert f"| voice | {voice:.2f} |" in text
