"""Preparation with intention: rows of a shop in, histories and answers out."""

import csv
import datetime
import json
import re
from collections import Counter

import numpy as np
import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config, read_stored_config
from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
from reviewintent_jax.data.labels import LabelKind
from reviewintent_jax.data.prepare import open_prepared, prepare, prepare_for_scoring
from reviewintent_jax.data.splits import SET_ASIDE, TEST, TRAIN, VALIDATION
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import NO_LABEL, InputError, RunFolder

ASKED = {"kind": "repurchase", "subject": "user_id", "stars": "stars"}
COLUMNS = {"text": "text", "title": "", "label": "stars", "time": "time"}


@pytest.fixture
def prepared_from(tiny_config, tiny_encoder, tmp_path):
    """Returns rows (None: the shop's own), changes -> Prepared, of 700 reviews."""
    tokenizer = ReviewTokenizer(tiny_encoder)

    def run(rows=None, *, folder="run", began_with=None, split=None, labels=None,
            **changes):  # fmt: skip
        config = tiny_config.copy_and_resolve_references()
        config.data.update({"shop_rows": 700, **COLUMNS})
        config.split.update(validation_fraction=0.3, **(split or {}))
        config.labels.update(labels or {})
        data = {k: changes.pop(k) for k in ("label", "time") if k in changes}
        config.data.update(data)
        changes |= {"label": changes.pop("aim", "")}  # both groups have a label
        stated = changes.pop("stated", {})
        config.intention.update(ASKED | changes)
        config.intention.labels.update(stated)
        if rows is not None:
            path = tmp_path / "rows.csv"
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
            config.data.update(kind="table", path=str(path))
        spec = read_config(plain_values(config)).data_spec()
        where = RunFolder(tmp_path / folder)
        return prepare(spec, tokenizer, where, began_with=began_with), spec

    run.tokenizer, run.folder = tokenizer, tmp_path
    return run


def shop_rows(count=700):
    return list(simulate_shop(BazaarSpec(count, 7)))


def refused(folder):
    lines = RunFolder(folder).rejected.read_text().splitlines()
    return {each["row"]: each["reason"] for each in map(json.loads, lines)}


def test_derived_repurchase_is_what_the_shop_drew(prepared_from):
    prepared, _ = prepared_from()
    rows = shop_rows()
    for split in (TRAIN, VALIDATION, TEST):
        anchors = prepared.anchors(split)
        drawn = [rows[row]["buys_again"] for row in prepared.row_n[anchors]]
        assert prepared.intention.label_n[anchors].tolist() == drawn
        assert 0 < sum(drawn) < len(drawn)


def test_the_shop_knows_the_best_answers_to_its_own_question_alone(prepared_from):
    prepared, _ = prepared_from()
    rows = shop_rows()
    anchors = prepared.anchors(TEST)
    truth = [rows[row]["truth_intent"] for row in prepared.row_n[anchors]]
    assert prepared.truth_intent_n[anchors] == pytest.approx(truth)
    other, _ = prepared_from(folder="other", horizon_days=90)
    assert np.isnan(other.truth_intent_n).all()


def test_nothing_vanishes_and_the_folder_opens_again(prepared_from):
    prepared, _ = prepared_from(covariates=("gap", "stars", "season"))
    kept = prepared.row_n[prepared.split_n != SET_ASIDE].tolist()
    assert sorted([*kept, *refused(prepared_from.folder / "run")]) == list(range(700))
    summary = prepared.summary
    assert summary["rows"] == summary["accepted"] + sum(summary["rejected"].values())
    facts = summary["intention"]
    answers = sum(split["anchors"] for split in facts["splits"].values())
    assert answers + sum(facts["unlabelled"].values()) == len(prepared.row_n)
    assert facts["covariates"] == ["gap", "stars", "season_sin", "season_cos"]
    again = open_prepared(prepared.folder)
    for mine, other in zip(prepared.histories, again.histories, strict=True):
        assert np.array_equal(mine, other, equal_nan=True)
    assert again.intention.classes == ("no repurchase", "repurchase")
    assert len(again.covariate_scale().mean_x) == 4


def test_subjects_and_stars_come_back_by_review(prepared_from):
    prepared, _ = prepared_from()
    rows, some = shop_rows(), np.array([600, 3, 41])
    assert prepared.subjects(some) == [rows[prepared.row_n[i]]["user_id"] for i in some]
    assert prepared.stars(some).tolist() == [
        rows[prepared.row_n[i]]["stars"] for i in some
    ]


def test_intention_can_be_asked_for_alone(prepared_from):
    prepared, _ = prepared_from(label="")
    assert prepared.labels.classes == ()
    assert (prepared.label_n == NO_LABEL).all()
    assert len(prepared.anchors(TRAIN)) > 50
    assert not len(prepared.labelled(TRAIN))


def test_a_review_without_a_label_stays_in_its_history(prepared_from):
    prepared, _ = prepared_from()
    rows = shop_rows()
    three = np.array([rows[row]["stars"] == 3 for row in prepared.row_n])
    kept = prepared.split_n != SET_ASIDE
    assert (three & kept).any()
    assert (prepared.label_n[three] == NO_LABEL).all()
    masked = prepared.summary["masked"]["stars belong to no class"]
    assert masked == (three & kept).sum()


def test_odd_rows_are_rejected_and_counted_or_sorted(prepared_from):
    rows = shop_rows()
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=400)
    rows[10]["user_id"] = ""
    rows[11]["time"] = ""
    rows[12]["time"] = "1970-01-01"
    rows[13]["time"] = ahead.isoformat()
    rows[14]["time"] = "some day"
    rows[20], rows[600] = rows[600], rows[20]
    prepared, _ = prepared_from(rows)
    reasons = refused(prepared_from.folder / "run")
    assert [reasons[row] for row in range(10, 15)] == [
        "no subject",
        "no time",
        "dated before 1990",
        "dated in the future",
        "time not understood",
    ]
    assert prepared.summary["rejected"]["dated in the future"] == 1
    assert prepared.summary["intention"]["times"]["last"] < ahead.isoformat()


def test_the_order_of_the_file_and_time_zones_change_nothing(prepared_from):
    rows = shop_rows()
    first, _ = prepared_from(rows)
    turned = [row | {"time": row["time"].replace("Z", "+00:00")} for row in rows[::-1]]
    for row in turned[::2]:
        moment = datetime.datetime.fromisoformat(row["time"])
        zone = datetime.timezone(datetime.timedelta(hours=-8))
        row["time"] = moment.astimezone(zone).isoformat()
    second, _ = prepared_from(turned)
    assert second.summary["intention"]["times"]["backwards"] > 100
    back = {699 - row: i for i, row in enumerate(second.row_n.tolist())}
    same = [back[row] for row in first.row_n.tolist()]
    assert np.array_equal(first.histories.time_n, second.histories.time_n[same])
    facts = (each.summary["intention"]["unlabelled"] for each in (first, second))
    censored = [each["follow-up shorter than the horizon"] for each in facts]
    assert censored[0] == censored[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": "user"}, r"no column 'user' \(named as the intention.subject\)"),
        ({"time": ""}, "need the time"),
        ({"horizon_days": 0}, "horizon_days is 0"),
        ({"split": {"kind": "date"}}, "one cut date"),
        ({"split": {"folds": 5}}, "one cut date"),
        ({"cut_fraction": 0.995}, "in test"),
        ({"cut_fraction": 0.0001}, "in train"),
        ({"horizon_days": 4000}, "No intention is known in"),
    ],
)
def test_what_cannot_be_answered_is_said(prepared_from, changes, message):
    with pytest.raises(InputError, match=message):
        prepared_from(**changes)


STATED = {"kind": "stated", "subject": "", "stars": "", "label": "", "time": ""}


def stated_rows():
    """Sixty reviews that state an intention in seven spellings, and odd ones."""
    spellings = ["yes", "no", "PI", "Yes", "No", "undefined", "Undefined"]
    rows = [{"text": f"phone number {i} of {i * 37}", "aim": spellings[i % 7]}
            for i in range(84)]  # fmt: skip
    rows += [{"text": "want it", "aim": "yes"}, {"text": "Want it!", "aim": "no"}]
    rows += [{"text": rows[0]["text"], "aim": "PI"}, {"text": "hm so so", "aim": ""}]
    return rows


def prepare_stated(prepared_from, rows=None, **changes):
    named = {"kind": LabelKind.NAMES.value, "classes": ("no", "undefined", "yes")}
    named |= {"aliases": ("PI -> yes",)}
    rows = stated_rows() if rows is None else rows
    return prepared_from(rows, **(STATED | {"stated": named} | changes))


def test_stated_intentions_of_single_texts(prepared_from):
    prepared, spec = prepare_stated(prepared_from, aim="aim")
    assert prepared.intention.classes == ("no", "undefined", "yes")
    assert refused(prepared_from.folder / "run") == {
        84: "same text with different labels",
        85: "same text with different labels",
        86: "same text as an earlier row",
        87: "no label",
    }
    anchors = np.concatenate([prepared.anchors(s) for s in (TRAIN, VALIDATION, TEST)])
    assert sorted(anchors) == list(range(84))
    assert prepared.histories.window_nw[anchors[0]].tolist()[:-1] == [-1] * 6
    assert prepared.intention_labels.encode("PI") == 2
    scored = prepare_for_scoring(
        spec,
        prepared_from.tokenizer,
        prepared.labels,
        RunFolder(prepared_from.folder / "scored"),
        intention_labels=prepared.intention_labels,
    )
    assert len(scored.anchors(TEST)) == 87


def test_seven_spellings_of_real_tweets_are_three_classes(prepared_from, shared_data):
    """Counted here by a plain loop: texts without case, punctuation and spaces."""
    path = shared_data / "purchase_intent_tweets" / "annotated.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["class"] for row in rows}) == 7
    said = {}
    for row in rows:
        text = " ".join(re.sub(r"[\W_]+", " ", row["text"].casefold()).split())
        aim = row["class"].lower().replace("pi", "yes")
        said.setdefault(text, []).append(aim)
    torn = [aims for aims in said.values() if len(set(aims)) > 1]
    kept = Counter(aims[0] for aims in said.values() if len(set(aims)) == 1)
    prepared, _ = prepare_stated(
        prepared_from, rows=[{"text": r["text"], "aim": r["class"]} for r in rows],
        aim="aim",
    )  # fmt: skip
    assert prepared.summary["rejected"] == {
        "same text as an earlier row": len(rows) - kept.total() - sum(map(len, torn)),
        "same text with different labels": sum(map(len, torn)),
    }
    sides = prepared.summary["intention"]["splits"].values()
    found = sum((Counter(side["classes"]) for side in sides), Counter())
    assert found == kept
    assert len(torn) == 40  # 39 of them equal letter for letter


def test_stated_intentions_of_one_class_name_their_column(prepared_from):
    with pytest.raises(InputError, match="one class") as caught:
        prepared_from(
            [row | {"aim": "yes"} for row in stated_rows()],
            **STATED,
            aim="aim",
        )
    assert "intention.label" in caught.value.where


def test_histories_of_other_data_are_all_tested(prepared_from):
    prepared, spec = prepared_from()
    scored = prepare_for_scoring(
        spec,
        prepared_from.tokenizer,
        prepared.labels,
        RunFolder(prepared_from.folder / "scored"),
    )
    assert (scored.split_n == TEST).all()
    assert len(scored.anchors(TEST)) > len(prepared.anchors(TEST))


def test_a_run_of_sentiment_alone_is_what_it_was(tiny_config, tiny_encoder, tmp_path):
    spec = read_config(plain_values(tiny_config)).data_spec()
    tokenizer = ReviewTokenizer(tiny_encoder)
    prepared = prepare(spec, tokenizer, RunFolder(tmp_path), began_with=None)
    assert prepared.histories is None
    assert prepared.intention is None
    assert np.isnan(prepared.truth_intent_n).all()
    assert "intention" not in prepared.fingerprint
    assert "aliases" not in prepared.fingerprint["labels"]
    assert prepared.subjects(np.array([1])) == [""]


def test_the_config_of_an_older_run_asks_for_no_intention(tiny_config):
    stored = plain_values(tiny_config)
    del stored["intention"], stored["labels"]["aliases"]
    assert read_stored_config(stored).intention.kind == "none"
    assert read_stored_config(stored).labels.aliases == ()


def test_another_definition_is_other_data(prepared_from):
    prepared, _ = prepared_from()
    with pytest.raises(InputError, match="changed since this run began: intention"):
        prepared_from(began_with=prepared.fingerprint, horizon_days=20)
