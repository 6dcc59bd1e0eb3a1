"""Kept forecasts: seeds are averaged, the paper and the naive forecast stand beside."""

import json

import pytest

from reviewintent_jax.evaluation.forecast_results import (
    group_runs,
    judge,
    write_forecast_results,
)
from reviewintent_jax.schema import InputError


def run(seed, rse, *, name="exchange_rate", horizon=3, window=168):
    def test(rse, corr=0.97):
        return {"test": {"rse": rse, "corr": corr}}

    return {
        "name": name,
        "horizon": horizon,
        "created": "2025-01-02T03:04:05+00:00",
        "config": {"seed": seed, "windows": {"window": window}},
        "training": {"seconds": 60.0 + seed},
        "environment": {"cores": 2, "device": "cpu"},
        "systems": {
            "model": test(rse),
            "persistence": test(0.0171),
            "seasonal_naive": test(0.03, None),
            "ar_ridge": test(0.0170),
        },
    }


def test_the_page_shows_mean_and_spread_over_the_seeds(tmp_path):
    runs = [run(3, 0.026), run(1, 0.020), run(2, 0.023), run(1, 0.5, horizon=6)]
    page = write_forecast_results(runs, tmp_path, "page.md", lambda _: "train it")
    row = "| 3 | 0.0226 | 0.0230 ± 0.0030 | 0.0171 | 0.0300 | 0.0170 |"
    text = page.read_text()
    assert row in text
    assert "| 6 | 0.0280 | 0.5000 |" in text
    assert "| 3 | 0.9735 | 0.9700 | 0.9700 | not defined | 0.9700 |" in text
    seeds = "horizon 3: 1, 2, 3; horizon 6: 1"
    assert f"`train it`, and the other horizons and seeds ({seeds}); 62 s" in text
    kept = json.loads((tmp_path / "exchange_rate_h3.json").read_text())
    assert [each["config"]["seed"] for each in kept] == [1, 2, 3]


def test_seeds_are_said_once_where_they_are_the_same_and_days_as_a_span(tmp_path):
    runs = [run(seed, 0.02, horizon=each) for each in (3, 6) for seed in (1, 2)]
    page = write_forecast_results(runs, tmp_path, "page.md", lambda _: "x")
    assert "and seeds (1, 2); " in page.read_text()
    assert "(cpu); 2025-01-02.\n" in page.read_text()
    runs = [*runs, {**run(1, 0.02, horizon=12), "created": "2025-01-05T00:00:00"}]
    page = write_forecast_results(runs, tmp_path, "page.md", lambda _: "x")
    assert "and seeds (horizons 3, 6: 1, 2; horizon 12: 1); " in page.read_text()
    assert "(cpu); 2025-01-02 to 2025-01-05.\n" in page.read_text()


def test_what_a_person_wrote_above_the_results_stays(tmp_path):
    (tmp_path / "page.md").write_text("# Mine\n\n<!-- results -->\nold")
    page = write_forecast_results([run(1, 0.02)], tmp_path, "page.md", lambda _: "x")
    assert page.read_text().startswith("# Mine\n\n<!-- results -->\n\n## exchange")
    assert "old" not in page.read_text()


@pytest.mark.parametrize(
    ("rse", "verdict"), [(0.0248, "within"), (0.0250, "outside"), (0.0200, "outside")]
)
def test_reproduced_means_within_a_tenth_of_the_published_error(rse, verdict):
    (group,) = group_runs([run(1, rse)])
    assert f"({verdict} 10% and 0.01)" in judge(group)
    assert "worse than persistence" in judge(group)


def test_of_other_tables_nothing_was_published():
    (group,) = group_runs([run(1, 0.0100, name="mine")])
    assert (
        judge(group) == "41.5% better than persistence; 41.2% better than the AR ridge."
    )


def test_a_setting_that_only_the_younger_run_knows_is_no_difference():
    younger = run(2, 0.02)
    younger["config"]["mesh"] = {"data": 1}
    (group,) = group_runs([run(1, 0.03), younger])
    assert len(group.metrics) == 2


@pytest.mark.parametrize("other", [run(2, 0.02, window=24), run(1, 0.03)])
def test_runs_that_are_no_seeds_of_each_other_are_refused(other):
    with pytest.raises(InputError, match="differ in more than their seed"):
        group_runs([run(1, 0.02), other])
