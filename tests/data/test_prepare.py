"""Preparation: nothing vanishes, nothing leaks, and a second call finds the first."""

import csv
import dataclasses
import json
import shutil
from collections import Counter

import numpy as np
import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.labels import LabelKind
from reviewintent_jax.data.prepare import (
    open_prepared,
    prepare,
    prepare_for_scoring,
)
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.splits import SET_ASIDE, TEST, TRAIN, VALIDATION, SplitKind
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder

GOOD = ["lovely soft scarf", "great kettle boils fast", "warm and cosy blanket"]
BAD = ["broke after one day", "awful smell sent back", "zip tore at once never again"]


def rows_of(n=60):
    """Distinct texts, two classes in turn, twelve users, two reviews a day."""
    return [
        {
            "text": f"{(GOOD if i % 2 else BAD)[i % 3]} number {i} of {i * 37}",
            "stars": 5 if i % 2 else 1,
            "user": f"u{i % 12}",
            "day": f"2024-01-{1 + i // 2:02d}",
            "part": "test" if i % 6 < 2 else "train",
        }
        for i in range(n)
    ]


@pytest.fixture
def prepared_from(tiny_config, tiny_encoder, tmp_path):
    """Returns rows, changes -> Prepared; the spec's parts can be replaced by name."""
    spec = read_config(plain_values(tiny_config)).data_spec()
    tokenizer = ReviewTokenizer(tiny_encoder)

    def run(rows, *, began_with=None, folder="run", path=None, source=None, **changes):
        path = path or tmp_path / "reviews.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        table = {"kind": SourceKind.TABLE, "path": str(path), "text": "text"}
        table |= {"title": "", "label": "stars"} | (source or {})
        changed = dataclasses.replace(
            spec, source=dataclasses.replace(spec.source, **table)
        )
        for name, values in changes.items():
            part = dataclasses.replace(getattr(changed, name), **values)
            changed = dataclasses.replace(changed, **{name: part})
        folder = RunFolder(tmp_path / folder)
        return prepare(changed, tokenizer, folder, began_with=began_with), changed

    run.tokenizer, run.folder = tokenizer, tmp_path
    return run


def test_a_stray_label_is_told_with_its_file_and_line(prepared_from):
    rows = rows_of()
    for stray in (7, 9):
        rows[stray]["stars"] = 9
    auto = {"kind": LabelKind.AUTO}
    with pytest.raises(InputError, match=r"'9' \(2 of 60 labelled rows\)") as caught:
        prepared_from(rows, labels=auto)
    assert "reviews.csv, line 9 (" in caught.value.where


def refused(folder):
    lines = RunFolder(folder).rejected.read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_row_is_in_one_split_or_set_aside_with_a_reason(prepared_from):
    rows = rows_of()
    rows[3]["text"] = ""
    rows[5]["stars"] = 3
    rows[8]["stars"] = ""
    rows[11]["text"] = rows[7]["text"].upper() + "!"
    rows[20]["text"] = rows[21]["text"]
    prepared, _ = prepared_from(rows)
    lines = refused(prepared_from.folder / "run")
    reasons = {line["row"]: line["reason"] for line in lines}
    assert set(reasons) == {3, 5, 8, 11, 20, 21}
    assert reasons[3] == "no text"
    assert "no class" in reasons[5]
    assert reasons[8] == "no label"
    assert reasons[11] == "same text as an earlier row"
    assert reasons[20] == reasons[21] == "same text with different labels"
    assert {line["row"]: line["line"] for line in lines}[11] == 13
    kept = prepared.row_n[prepared.split_n != SET_ASIDE].tolist()
    assert sorted([*kept, *reasons]) == list(range(60))
    summary = prepared.summary
    assert summary["rows"] == 60
    assert summary["accepted"] == 54
    assert summary["rejected"] == Counter(reasons.values())
    assert summary["duplicates"]["exact"] == 1
    assert sum(split["rows"] for split in summary["splits"].values()) == 54


def test_texts_tokens_and_labels_belong_together(prepared_from):
    rows = rows_of()
    prepared, _ = prepared_from(rows)
    some = np.array([41, 2, 30])
    texts = prepared.texts(some)
    assert texts == [rows[prepared.row_n[i]]["text"] for i in some]
    for i, text in zip(some, texts, strict=True):
        ids = prepared_from.tokenizer.encode([text])[0]
        assert prepared.store[i].tolist() == ids.tolist()
        assert prepared.label_n[i] == (rows[i]["stars"] == 5)


def test_the_second_call_opens_what_the_first_wrote(prepared_from):
    first, _ = prepared_from(rows_of())
    written = (first.folder / "manifest.json").stat().st_mtime_ns
    second, _ = prepared_from(rows_of())  # the file is written anew, with the same rows
    assert (first.folder / "manifest.json").stat().st_mtime_ns == written
    for name in ("label_n", "split_n", "row_n"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    prepared_from([*rows_of()[:-1], rows_of()[-1] | {"day": "2024-01-09"}])
    assert (first.folder / "manifest.json").stat().st_mtime_ns != written


def test_an_interrupted_preparation_is_begun_again(prepared_from):
    first, _ = prepared_from(rows_of())
    (first.folder / "tokens-00000-00000.array_record").write_bytes(b"torn")
    first.folder.rename(first.folder.with_name("data.part"))
    part = first.folder.with_name("data.part")
    (part / "plan.json").write_text("{}")
    again, _ = prepared_from(rows_of())
    assert (
        again.store[0].tolist()
        == prepared_from.tokenizer.encode(again.texts(np.array([0])))[0].tolist()
    )


def test_a_preparation_that_fails_or_is_killed_leaves_the_older_data_whole(
    prepared_from, tmp_path
):
    first, _ = prepared_from(rows_of())
    before = {each.name: each.read_bytes() for each in first.folder.iterdir()}
    with pytest.raises(InputError, match="None of the 4 rows"):
        prepared_from([row | {"text": " "} for row in rows_of(4)])
    after = {each.name: each.read_bytes() for each in first.folder.iterdir()}
    assert after == before
    part = tmp_path / "run" / "data.part"
    assert not part.exists()
    part.mkdir()
    (part / "plan.json").write_bytes(b"torn")
    prepared_from(rows_of(48))
    assert not part.exists()
    assert open_prepared(first.folder).summary["rows"] == 48


def test_what_ends_after_the_blocks_costs_no_block(
    prepared_from, tmp_path, monkeypatch
):
    """Deciding needs all reviews at once, so memory is most likely to end there."""
    part, where = tmp_path / "run" / "data.part", "reviewintent_jax.data"
    # The fixture writes the table anew: the same bytes, another time.
    changing = f"{where}.fingerprints.source_fingerprint"
    monkeypatch.setattr(changing, lambda _: {"same": "bytes"})

    def end(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(f"{where}.prepare.decide_sentiment", end)
        with pytest.raises(MemoryError):
            prepared_from(rows_of(48))
    made = {each.name: each.stat().st_mtime_ns for each in part.glob("*-0*")}
    assert any(name.startswith("block-") for name in made)
    prepared, _ = prepared_from(rows_of(48))
    kept = {each.name: each.stat().st_mtime_ns for each in prepared.folder.iterdir()}
    assert not any(name.startswith("block-") for name in kept)
    for name in made:
        assert name.startswith("block-") or kept[name] == made[name]


def everything_in(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "theirs", ["photos.zip", "reviews-2024.parquet", "sub/plan.json"]
)
@pytest.mark.parametrize("name", ["data", "data.part"])
def test_a_folder_with_files_of_others_is_refused_and_not_touched(
    prepared_from, tmp_path, name, theirs
):
    path = tmp_path / "run" / name / theirs
    path.parent.mkdir(parents=True)
    path.write_text("cannot be fetched again")
    with pytest.raises(InputError, match=r"holds other files: (photos|reviews|sub)"):
        prepared_from(rows_of())
    assert everything_in(tmp_path / "run") == {path: b"cannot be fetched again"}


def test_prepared_data_with_a_file_of_others_are_opened_but_not_replaced(
    prepared_from, tmp_path
):
    prepared, changed = prepared_from(rows_of())
    (prepared.folder / "notes.txt").write_text("mine")
    run = RunFolder(tmp_path / "run")
    prepare(changed, prepared_from.tokenizer, run, began_with=None)
    before = everything_in(run.prepared)
    with pytest.raises(InputError, match=r"other files: notes\.txt"):
        prepared_from(rows_of(48))
    assert everything_in(run.prepared) == before


def test_a_source_within_the_folder_to_be_replaced_is_refused(prepared_from, tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "reviews.csv"
    with pytest.raises(InputError, match="source lies in the folder"):
        prepared_from(rows_of(), folder=".", path=path)
    assert path.is_file()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data"]


def test_a_source_in_the_place_of_rejected_rows_is_refused(prepared_from, tmp_path):
    _, changed = prepared_from(rows_of(), folder="other")
    path = tmp_path / "rejected.jsonl"
    path.write_text('{"text": "good", "stars": 5}\n')
    source = dataclasses.replace(changed.source, path=str(path))
    spec = dataclasses.replace(changed, source=source)
    run, tokenizer = RunFolder(tmp_path), prepared_from.tokenizer
    with pytest.raises(InputError, match="rows it sets aside"):
        prepare(spec, tokenizer, run, began_with=None)
    assert path.read_text() == '{"text": "good", "stars": 5}\n'


def test_a_linked_data_folder_stays_a_link(prepared_from, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "large_disk").mkdir()
    (tmp_path / "run" / "data").symlink_to(tmp_path / "large_disk")
    prepared_from(rows_of())
    prepared_from(rows_of(48))
    assert (tmp_path / "run" / "data").is_symlink()
    assert open_prepared(tmp_path / "large_disk").summary["rows"] == 48


def test_lost_data_are_made_again_only_if_they_are_those_the_run_began_with(
    prepared_from, tmp_path
):
    first, changed = prepared_from(rows_of())
    shutil.rmtree(first.folder)
    run, tokenizer = RunFolder(tmp_path / "run"), prepared_from.tokenizer
    again = prepare(changed, tokenizer, run, began_with=first.fingerprint)
    assert again.texts(np.arange(60)) == [row["text"] for row in rows_of()]
    shutil.rmtree(first.folder)
    with pytest.raises(InputError, match="changed since this run began: files"):
        prepared_from(rows_of(48), began_with=first.fingerprint)
    assert not first.folder.exists()


def test_a_run_goes_on_that_is_older_than_the_order_of_dates(prepared_from):
    first, _ = prepared_from(rows_of())
    assert "date_order" not in first.fingerprint["source"]
    with pytest.raises(InputError, match=r"changed since this run began: .*source"):
        prepared_from(
            rows_of(),
            began_with=first.fingerprint,
            source={"date_order": DateOrder.DAY_FIRST},
        )


def test_changed_settings_are_refused_once_the_run_has_checkpoints(prepared_from):
    began_with = prepared_from(rows_of())[0].fingerprint
    with pytest.raises(InputError, match=r"changed since this run began.*split"):
        prepared_from(rows_of(), began_with=began_with, split={"seed": 77})


def test_users_do_not_cross_splits(prepared_from):
    prepared, _ = prepared_from(
        rows_of(),
        source={"group": "user"},
        split={"kind": SplitKind.GROUPED, "validation_fraction": 0.3},
    )
    sides = {}
    for row, split in zip(prepared.row_n, prepared.split_n, strict=True):
        sides.setdefault(row % 12, set()).add(int(split))
    assert all(len(side) == 1 for side in sides.values())


def test_a_split_by_date_tests_on_what_came_last(prepared_from):
    prepared, _ = prepared_from(
        rows_of(), source={"time": "day"}, split={"kind": SplitKind.DATE}
    )
    last = [prepared.row_n[prepared.reviews(s)] // 2 for s in (TRAIN, VALIDATION, TEST)]
    assert last[0].max() < last[1].min()
    assert last[1].max() < last[2].min()


def test_a_given_test_split_keeps_its_copies(prepared_from):
    rows = rows_of()
    rows[12]["text"] = rows[0]["text"]  # both in test
    rows[14]["text"] = rows[6]["text"]  # train and test
    prepared, _ = prepared_from(
        rows, source={"split": "part"}, split={"kind": SplitKind.GIVEN}
    )
    assert prepared.row_n[prepared.reviews(TEST)].tolist() == [
        i for i in range(60) if i % 6 < 2
    ]
    reasons = {
        line["row"]: line["reason"] for line in refused(prepared_from.folder / "run")
    }
    assert set(reasons) == {14}
    assert "near duplicate" in reasons[14]


def test_one_class_only_is_said(prepared_from):
    rows = [row | {"stars": 5} for row in rows_of()]
    with pytest.raises(InputError, match="class"):
        prepared_from(rows)


def test_no_usable_row_names_the_reasons(prepared_from):
    rows = [row | {"text": " "} for row in rows_of(4)]
    with pytest.raises(InputError, match=r"None of the 4 rows.*no text \(4\)"):
        prepared_from(rows)


def test_other_data_are_scored_whole_with_the_labels_of_training(prepared_from):
    prepared, _ = prepared_from(rows_of())
    rows = rows_of(10)
    rows[4] |= {"stars": 3}
    rows[6] |= {"text": rows[2]["text"]}
    _, other = prepared_from(rows + rows_of(50)[10:], folder="other")
    folder = RunFolder(prepared_from.folder / "scored")
    scored = prepare_for_scoring(
        other, prepared_from.tokenizer, prepared.labels, folder
    )
    assert scored.row_n[scored.reviews(TEST)].tolist() == [
        i for i in range(50) if i != 4
    ]
    (line,) = refused(folder.root)
    assert (line["reason"], line["value"]) == ("stars belong to no class", "3")
    assert scored.labels == prepared.labels


def test_other_data_without_a_known_label_are_refused(prepared_from):
    prepared, _ = prepared_from(rows_of())
    named = [
        row | {"stars": "blue" if i % 2 else "red"} for i, row in enumerate(rows_of())
    ]
    _, other = prepared_from(named, folder="other", labels={"kind": LabelKind.NAMES})
    with pytest.raises(InputError, match="No row carries a label that the model knows"):
        prepare_for_scoring(
            other,
            prepared_from.tokenizer,
            prepared.labels,
            RunFolder(prepared_from.folder / "s"),
        )


def test_what_reviews_are_scored_apart_by_is_kept_with_their_texts(prepared_from):
    rows = rows_of()
    for i, row in enumerate(rows):
        row["translated"] = "" if i == 7 else str(i % 3 == 0)
    plain, _ = prepared_from(rows, folder="plain")
    assert "slice" not in plain.fingerprint["source"]  # older runs go on
    prepared, _ = prepared_from(rows, source={"slice": "translated"})
    some = np.array([0, 7, 8, 9, 41])
    assert prepared.slices(some) == ["True", "", "False", "True", "False"]
    assert prepared.fingerprint["source"]["slice"] == "translated"
    np.testing.assert_array_equal(prepared.split_n, plain.split_n)


def test_a_column_of_slices_that_is_not_there_is_said(prepared_from):
    with pytest.raises(InputError, match=r"data\.slice|named as the slice"):
        prepared_from(rows_of(), source={"slice": "translatd"})


def test_without_a_tokenizer_there_are_texts_and_splits_alone(prepared_from):
    whole, spec = prepared_from(rows_of())
    folder = RunFolder(prepared_from.folder / "texts")
    texts = prepare(spec, None, folder, began_with=None)
    reviews = np.arange(len(whole.row_n))
    assert texts.texts(reviews) == whole.texts(reviews)
    np.testing.assert_array_equal(texts.split_n, whole.split_n)
    assert [len(ids) for ids in texts.store.read(reviews)] == [0] * len(reviews)
    assert texts.fingerprint["tokenizer"] != whole.fingerprint["tokenizer"]
