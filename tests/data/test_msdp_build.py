"""Cases from declared tables, against plain loops; nothing of after the cut is read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.data.msdp_build import newest_cases
from reviewintent_jax.data.msdp_cases import load_cases
from reviewintent_jax.data.msdp_features import (
    MsdpData,
    event_numbers,
    fit_features,
)
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import InputError
from tests.data.purchases import (
    CUTS,
    DAY,
    cases_of,
    orders_of,
    purchase_config,
    schema_of,
)


@pytest.fixture
def config(tmp_path):
    return purchase_config(tmp_path)


def test_answers_and_events_are_those_of_a_plain_loop(config, tmp_path):
    cases = cases_of(config, tmp_path)
    orders = orders_of(config.events.path)
    last = max(moment for rows in orders.values() for moment, _, _ in rows)
    cuts = [int(np.datetime64(cut, "s").astype(np.int64)) for cut in CUTS]
    seen = set()
    for n, who in enumerate(cases.names):
        cut, rows = cases.moment_n[n], orders.get(who, [])
        seen.add((who, cut))
        before = [row for row in rows if row[0] < cut]
        assert cases.end_n[n] - cases.first_n[n] == len(before)
        until = cuts[1] - 1 if cut == cuts[0] else last  # the test cut trains nothing
        buys = [r for r in rows if r[0] >= cut and r[2] == "purchase" and r[0] <= until]
        days = (buys[0][0] - cut) / DAY if buys else (until - cut) / DAY
        assert cases.targets.came_n[n] == bool(buys)
        assert cases.targets.days_n[n] == pytest.approx(days)
        soon = bool(buys) and days <= 60
        assert cases.targets.intent_n[n] == soon
        worth = buys[0][1] if soon else np.nan
        assert cases.targets.value_n[n] == pytest.approx(worth, nan_ok=True)
        test = cases.split_n[n] == TEST
        assert test == (cut == cuts[1])
    assert len(seen) == len(cases.names)
    assert ("new", cuts[1]) in seen or ("new", cuts[0]) in seen


def test_no_subject_is_on_two_sides(config, tmp_path):
    cases = cases_of(config, tmp_path)
    sides = [set(cases.subject_n[cases.rows(s)]) for s in (TRAIN, VALIDATION, TEST)]
    assert all(sides)
    assert len(set.union(*sides)) == sum(map(len, sides))


def test_what_comes_after_the_test_cut_changes_no_source_and_no_training(
    config, tmp_path
):
    data = []
    for changed in (False, True):
        if changed:
            table = pd.read_csv(config.events.path)
            late = table["when"] >= CUTS[1]
            table.loc[late, "price"] *= 7
            table.loc[late, "item"] = "other"
            table.loc[late, "note"] = "changed"
            newest = table["when"].max()  # which says until when all is known
            table.loc[late & (table["when"] < newest), "when"] = CUTS[1]
            extra = table[~late].drop_duplicates("who").copy()
            extra["when"], extra["order"] = CUTS[1], extra["order"] + "-more"
            pd.concat([table, extra]).to_csv(config.events.path, index=False)
        cases = cases_of(config, tmp_path)
        schema = schema_of(config)
        fit = fit_features(cases, schema)
        vectors = np.zeros((len(cases.texts), 0), np.float32)
        rows = np.arange(len(cases.names))
        batch = MsdpData(cases, fit, schema, vectors).batch(rows, len(rows))
        data.append((cases, fit, batch))
    assert (data[1][0].targets.days_n[data[1][0].rows(TEST)] == 0).any()
    (old, old_fit, old_batch), (new, new_fit, new_batch) = data
    assert old.names == new.names
    assert str(old_fit.to_dict()) == str(new_fit.to_dict())
    for field in ("event_number_bex", "event_item_be", "number_bf", "category_bc"):
        np.testing.assert_array_equal(
            getattr(old_batch, field), getattr(new_batch, field)
        )
    assert old.texts == new.texts
    train = old.rows(TRAIN)
    for before, after in zip(old.targets, new.targets, strict=True):
        np.testing.assert_array_equal(before[train], after[train])


def test_a_purchase_on_the_day_of_the_cut_is_an_answer_and_no_feature(config, tmp_path):
    table = pd.read_csv(config.events.path)
    on_cut = pd.DataFrame(
        {"who": [f"C{n}" for n in range(60)], "when": CUTS[1], "item": "I0"}
    )
    on_cut["order"] = [f"cut-{n}" for n in range(60)]
    on_cut["price"], on_cut["count"], on_cut["note"] = 5.0, 2, ""
    pd.concat([table, on_cut]).to_csv(config.events.path, index=False)
    cases = cases_of(config, tmp_path)
    rows = cases.rows(TEST)
    bought = np.array([cases.names[n] != "new" for n in rows])
    assert (cases.targets.days_n[rows[bought]] == 0).all()
    assert (cases.targets.value_n[rows[bought]] == 10).all()
    events = cases.events
    read = [events.time_e[cases.first_n[n] : cases.end_n[n]] for n in rows]
    assert all((t < cases.moment_n[n]).all() for t, n in zip(read, rows, strict=True))


def test_event_numbers_are_those_of_a_plain_loop(config, tmp_path):
    cases = cases_of(config, tmp_path)
    rows = np.arange(len(cases.names))
    numbers = event_numbers(cases, rows, 4)
    for n in rows:
        events = range(cases.first_n[n], cases.end_n[n])
        for place, e in zip((3, 2, 1, 0), reversed(events), strict=False):
            value = cases.events.value_e[e]
            wanted = np.sign(value) * np.log1p(abs(value))
            assert numbers[n, place, 0] == pytest.approx(wanted)
            first = e == cases.first_n[n]
            assert numbers[n, place, 3] == first
            if not first:
                gap = (cases.events.time_e[e] - cases.events.time_e[e - 1]) / DAY
                assert numbers[n, place, 2] == pytest.approx(np.log1p(gap))
            age = (cases.moment_n[n] - cases.events.time_e[e]) / DAY
            assert numbers[n, place, 4] == pytest.approx(np.log1p(age))


def test_texts_of_a_case_are_the_newest_of_its_events(config, tmp_path):
    cases = cases_of(config, tmp_path)
    n = int(np.argmax(cases.end_n - cases.first_n))
    read = cases.events.text_e[cases.first_n[n] : cases.end_n[n]]
    wanted = [cases.events.texts[code] for code in read if code >= 0][::-1][:2]
    assert [cases.texts[k] for k in cases.text_nk[n] if k >= 0] == wanted


def test_scales_and_vocabularies_come_from_training_alone(config, tmp_path):
    cases, schema = cases_of(config, tmp_path), schema_of(config)
    rows = cases.rows(TRAIN)
    fit = fit_features(cases, schema)
    age = cases.number_nf[rows, 0]
    assert fit.number.mean_f[0] == pytest.approx(np.nanmean(age))
    assert fit.number.spread_f[0] == pytest.approx(np.nanstd(age))
    other = cases.number_nf.copy()
    other[cases.rows(TEST)] += 1000
    again = fit_features(cases._replace(number_nf=other), schema)
    assert again.to_dict()["number"] == fit.to_dict()["number"]
    log_value = np.log1p(cases.targets.value_n[rows])
    assert fit.value.mean_f[0] == pytest.approx(np.nanmean(log_value))


def test_saved_cases_come_back_the_same(config, tmp_path):
    cases = cases_of(config, tmp_path)
    cases.save(tmp_path)
    again = load_cases(tmp_path)
    assert again.fingerprint() == cases.fingerprint()
    assert again.facts == cases.facts
    assert again.events.kinds == ("purchase", "return")


def test_the_newest_cases_read_everything_and_know_no_answer(config, tmp_path):
    cases = cases_of(config, tmp_path, newest_cases)
    orders = orders_of(config.events.path)
    for n, who in enumerate(cases.names):
        assert cases.end_n[n] - cases.first_n[n] == len(orders.get(who, []))
    assert (cases.targets.intent_n == -1).all()
    assert np.isnan(cases.targets.days_n).all()


MISTAKES = [
    ({"data.numbers": ("agee",)}, r"no column 'agee'(?s:.*)Did you mean 'age'"),
    ({"events.item": "itm"}, r"no column 'itm' \(named as the events.item\)"),
    (
        {"data.numbers": ("land",), "data.categories": ()},
        r"'land' \(named in data.numbers\) holds '(de|fr)'",
    ),
    (
        {"data.dates": ("land",), "data.categories": ()},
        r"'land' \(named in data.dates\) holds .* no date",
    ),
    ({"events.value": "note"}, r"'note' \(named in events.value\) holds 'note C"),
    ({"data.categories": ("who",)}, r"'who' .* different values .* an id"),
    ({"data.numbers": ("age", "age")}, "'age' is listed twice"),
    (
        {"data.dates": ("age",), "data.numbers": ()},
        r"'age' \(named in data.dates\) holds numbers such as \d+",
    ),
    ({"events.time": "price"}, r"'price' \(named in events.time\) holds numbers"),
    ({"data.dates_ahead": ("age",)}, "'age' is in data.dates_ahead but not in data.da"),
    ({"targets.followed_until": "since"}, "no column of a date is waited for"),
    (
        {
            "targets.intent": "land",
            "targets.positive": ("de", "dee"),
            "data.categories": (),
        },
        "'land' .* never holds dee; it holds ",
    ),
    (
        {"targets.interval_days": (1000.0,)},
        "not a case whose event came in one of the intervals .* of follow-up",
    ),
    ({"targets.value": "age"}, r"'age' is the target targets.value and is listed in "),
    ({"cuts.dates": ("2020-08-01", "2020-04-01")}, "do not ascend"),
    ({"cuts.dates": ("2031-04-01",)}, "does not lie within the events"),
    ({"cuts.dates": ("2020-11-20",)}, "end after the last event"),
    ({"cuts.dates": ("2020-07-01", "2020-08-01")}, "end after the test cut"),
    ({"cuts.dates": ("soon",)}, "'soon' is no date"),
    ({"cuts.dates": ()}, "need events and a cut date"),
    ({"events.targets": ("refund",)}, "no event of kind 'refund'"),
    ({"events.time": ""}, "column of the events' time is not named"),
    ({"data.subject": "", "data.dates": ()}, "cannot be joined"),
    ({"network.sources": ("smell",)}, "names 'smell', which the data do not have"),
    ({"targets.interval_days": (30.0, 10.0)}, "must ascend"),
    ({"targets.intent": "land"}, "count as yes is not said"),
]


@pytest.mark.parametrize(("changes", "said"), MISTAKES)
def test_a_bad_declaration_is_refused_with_a_sentence(config, tmp_path, changes, said):
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=said):
        cases_of(config, tmp_path)


def test_a_date_after_the_cut_is_refused_by_column_and_line(config, tmp_path):
    table = pd.read_csv(config.data.path)
    table["since"] = "2020-09-15"
    table.to_csv(config.data.path, index=False)
    with pytest.raises(InputError, match=r"'since' .* holds 2020-09-15, which is aft"):
        cases_of(config, tmp_path)
    config.data.dates_ahead = ("since",)
    cases = cases_of(config, tmp_path)
    assert np.nanmax(cases.number_nf[:, cases.numbers.index("since")]) > 0


def test_two_rows_of_one_subject_are_refused_at_a_cut(config, tmp_path):
    table = pd.read_csv(config.data.path)
    pd.concat([table, table.iloc[:1]]).to_csv(config.data.path, index=False)
    with pytest.raises(InputError, match=r"Subject 'C0' has two rows"):
        cases_of(config, tmp_path)


def test_rows_without_subject_or_time_are_set_aside_and_counted(config, tmp_path):
    with Path(config.events.path).open("a") as file:
        file.write(",2020-02-02,x,I0,1,1,\nC1,never,y,I0,1,1,\n")
    facts = cases_of(config, tmp_path).facts
    assert facts["set_aside"] == {"no subject": 1, "time not understood": 1}
