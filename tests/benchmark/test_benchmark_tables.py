"""Figures as people read them."""

import pytest

from reviewintent_jax.benchmark.tables import amount, figure, ranged, table


@pytest.mark.parametrize(
    ("value", "said"),
    [(1234.5, "1,234"), (123.4, "123"), (12.345, "12.3"), (1.2345, "1.23"),
     (0.012345, "0.0123"), (0, "0"), (-2.5, "-2.50")],
)  # fmt: skip
def test_three_figures_count(value, said):
    assert figure(value) == said


def test_amounts_have_prefixes():
    assert amount(22.7e6, "") == "22.7 M"
    assert amount(1.5e9, "B") == "1.50 GB"
    assert amount(7, "B") == "7.00 B"


def test_a_median_stands_with_its_quartiles():
    spread = {"median": 0.002, "low": 0.001, "high": 0.003}
    assert ranged(spread, 1e3) == "2.00 (1.00 to 3.00)"


def test_a_table_is_markdown():
    made = table(("a", "b"), [("x", "1")])
    assert made == "| a | b |\n| --- | ---: |\n| x | 1 |\n"
