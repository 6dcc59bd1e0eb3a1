"""Systems beside MSDP-Net, by hand where that is possible."""

import numpy as np
import pytest

from reviewintent_jax.evaluation.msdp_baselines import (
    CaseTable,
    base_rate,
    baselines,
    category_median,
    gradient_boosting,
    kaplan_meier,
    shuffled_answers,
    user_mean,
)


@pytest.fixture
def table():
    """A number decides all: yes, the value and the interval."""
    rng = np.random.default_rng(0)
    count = 300
    x = rng.uniform(-1, 1, count)
    yes = (rng.random(count) < 1 / (1 + np.exp(-6 * x))).astype(np.int64)
    intent = np.where(np.arange(count) % 17 == 0, -1, yes)
    value = np.where(yes == 1, np.exp(2 + x), np.nan)
    order = np.arange(count)
    return CaseTable(
        flat_nf=np.stack([x, rng.standard_normal(count)], axis=1),
        recency_nf=np.stack([x, -x, x], axis=1),
        past_value_n=np.where(order % 5 == 0, np.nan, 10.0 + order),
        category_n=order % 3 - 1,
        texts=["good tea" if y else "bad tea" for y in yes],
        intent_n=intent,
        value_n=value,
        interval_n=np.where(yes == 1, 0, 3),
        inside_n=yes == 1,
        intervals=3,
        tasks=("intent", "value", "time"),
        train_n=order[:200],
        validation_n=order[200:240],
        asked_n=order[240:],
        seed=0,
    )


def test_the_simple_systems_are_those_of_a_plain_loop(table):
    train = [n for n in table.train_n if np.isfinite(table.value_n[n])]
    known = [table.intent_n[n] for n in table.train_n if table.intent_n[n] >= 0]
    rate = base_rate(table)
    assert rate.chance_n == pytest.approx(np.full(60, np.mean(known)))
    assert rate.value_n == pytest.approx(
        np.full(60, np.median([table.value_n[n] for n in train]))
    )
    usual = np.mean([table.value_n[n] for n in train])
    means, medians = user_mean(table).value_n, category_median(table).value_n
    for place, n in enumerate(table.asked_n):
        past = table.past_value_n[n]
        assert means[place] == pytest.approx(usual if np.isnan(past) else past)
        same = [table.value_n[m] for m in train
                if table.category_n[m] == table.category_n[n]]  # fmt: skip
        assert medians[place] == pytest.approx(np.median(same))
    hazard = kaplan_meier(table).hazard_nj
    assert hazard[0] == pytest.approx([table.inside_n[:200].mean(), 0, 0])


def test_boosting_learns_all_three_answers(table):
    said = gradient_boosting(table)
    x = table.flat_nf[table.asked_n, 0]
    for found in (said.chance_n, said.value_n, said.hazard_nj[:, 0]):
        assert np.corrcoef(x, found)[0, 1] > 0.8
    assert said.hazard_nj[:, 1:].max() < 0.2


def test_no_answer_of_the_asked_is_read(table):
    before = baselines(table)
    blind = table._replace(intent_n=table.intent_n.copy(), value_n=table.value_n.copy())
    blind.intent_n[table.asked_n] = 1 - blind.intent_n[table.asked_n]
    blind.value_n[table.asked_n] = 999.0
    after = baselines(blind)
    assert before.keys() == after.keys()
    assert len(before) == 7
    for name, said in before.items():
        for one, other in zip(said, after[name], strict=True):
            if one is not None:
                np.testing.assert_array_equal(one, other)


def test_what_is_not_there_or_not_asked_has_no_system(table):
    bare = table._replace(
        recency_nf=None, past_value_n=None, texts=None, tasks=("intent",)
    )
    assert list(baselines(bare)) == ["base_rate", "gradient_boosting"]


def test_shuffled_answers_teach_nothing(table):
    found = shuffled_answers(table)
    assert found["auc"]["low"] < 0.5 < found["auc"]["high"]
    assert not found["suspicious"]
