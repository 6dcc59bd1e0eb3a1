"""Every row becomes a review or a rejection with its reason."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.data.checks import (
    CheckSpec,
    RejectionLog,
    check_row,
    is_rejection_log,
    join_title,
    plain_value,
)
from reviewintent_jax.data.sources import SourceKind, SourceSpec
from reviewintent_jax.data.times import ORDER_UNKNOWN, DateOrder
from reviewintent_jax.schema import InputError, RawRow, Rejected, Review


def source(**columns):
    named = {"text": "text", "title": "", "label": "", "group": "", "time": ""}
    return SourceSpec(
        **{**named, "date_order": DateOrder.ISO, "split": "", "slice": "", **columns},
        **{"kind": SourceKind.TABLE, "path": "r.csv"},
        **{"tfds_name": "", "tfds_folder": "", "shop_rows": 1, "shop_seed": 0},
    )


def check(fields, *, limit=0, problem="", **columns):
    raw = RawRow("r.csv", 12, fields, problem)
    return check_row(raw, 10, source(**columns), CheckSpec(max_characters=limit))


def test_whole_row_becomes_a_review():
    fields = {"t": "Tea", "text": " good ", "s": "4.0", "u": 7.0, "d": "2014-02-28"}
    columns = {"title": "t", "label": "s", "group": "u", "time": "d"}
    assert check({**fields, "part": "train"}, **columns, split="part") == Review(
        row=10,
        file="r.csv",
        line=12,
        text="Tea. good",
        label="4",
        group="7",
        time=1393545600,
        split="train",
    )


@pytest.mark.parametrize(
    "nothing",
    [
        *(None, "", " \t\n", "\u200b\ufeff \x00", float("nan"), np.float64("nan")),
        *(pd.NA, pd.NaT, "nan", "NaN", "null", "None", "<NA>", b"  "),
    ],
    ids=repr,
)
def test_no_text_is_rejected_whatever_stands_for_it(nothing):
    rejected = check({"text": nothing, "t": "title"}, title="t")
    assert isinstance(rejected, Rejected)
    assert (rejected.field, rejected.reason) == ("text", "no text")


def test_absent_text_is_rejected():
    assert check({"stars": 5}).reason == "no text"


@pytest.mark.parametrize("other", [["a"], {"a": 1}, np.array(["a"])], ids=repr)
def test_lists_and_objects_are_no_text(other):
    assert check({"text": other}).reason == "text is not text"


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"caf\xc3\xa9", "café"), (12, "12"), ("\ufeffgood", "\ufeffgood")],
)
def test_other_values_become_text(value, text):
    assert check({"text": value}).text == text


def test_problem_of_the_reader_is_the_reason_and_what_was_read_is_shown():
    rejected = check({"text": "good"}, problem="too few fields: 1, the header has 2")
    assert rejected.reason == "too few fields: 1, the header has 2"
    assert json.loads(rejected.value) == {"text": "good"}
    assert (rejected.row, rejected.file, rejected.line) == (10, "r.csv", 12)


@pytest.mark.parametrize(("limit", "kept"), [(4, False), (5, True), (0, True)])
def test_texts_over_the_limit_are_set_aside(limit, kept):
    checked = check({"text": "a" * 5}, limit=limit)
    assert isinstance(checked, Review) == kept
    if not kept:
        assert checked.reason == "text longer than 4 characters"


def test_negative_limit_is_refused():
    with pytest.raises(InputError, match="-1"):
        CheckSpec(max_characters=-1)


@pytest.mark.parametrize("group", [None, "", float("nan"), " "])
def test_missing_group_is_rejected_when_one_is_named(group):
    rejected = check({"text": "good", "user": group}, group="user")
    assert (rejected.field, rejected.reason) == ("user", "no group")


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        *((None, "no time"), ("", "no time"), (pd.NaT, "no time")),
        *(("soon", "time not understood"), (True, "time not understood")),
        *((float("inf"), "time not understood"), ([1], "time not understood")),
    ],
)
def test_time_that_says_nothing_is_rejected_with_its_field(time, reason):
    rejected = check({"text": "good", "when": time}, time="when")
    assert (rejected.field, rejected.reason) == ("when", reason)


def test_a_date_is_read_in_the_order_that_is_set_and_refused_by_its_name_without():
    fields = {"text": "good", "when": "05/06/2020"}
    rejected = check(fields, time="when")
    assert rejected.reason == ORDER_UNKNOWN
    assert "data.date_order" in rejected.reason
    assert (rejected.field, rejected.value) == ("when", "05/06/2020")
    review = check(fields, time="when", date_order=DateOrder.DAY_FIRST)
    assert review.time == 1591315200  # 5 June


@pytest.mark.parametrize("flag", [True, np.bool_(True)])
def test_a_flag_as_label_is_a_word_and_no_star(flag):
    assert check({"text": "good", "l": flag}, label="l").label == "true"
    assert check({"text": "good", "l": 1}, label="l").label == "1"


def test_missing_label_and_split_are_empty_and_kept():
    review = check({"text": "good", "l": None}, label="l", split="s")
    assert (review.label, review.split, review.time) == ("", "", None)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *((4.0, "4"), ("4.0", "4"), (" 4 ", "4"), ("4.5", "4.5"), (4.5, "4.5")),
        *((True, "1"), (False, "0"), (np.bool_(True), "1"), (np.int64(3), "3")),
        *(
            (np.float32(2), "2"),
            (Decimal("4.00"), "4"),
            (b"yes", "yes"),
            ("-1.0", "-1"),
        ),
        *((" PI ", "PI"), ("None", "None"), ("nan", ""), (None, ""), (pd.NA, "")),
        *(
            (float("inf"), "inf"),
            ("007", "007"),
            (2**2000, str(2**2000)),
            (["a"], '["a"]'),
        ),
        ("9" * 5000 + ".0", "9" * 5000 + ".0"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_labels_read_alike_from_any_kind_of_table(value, plain):
    assert plain_value(value) == plain


@pytest.mark.parametrize(
    ("title", "joined"),
    [
        *(("", "Text."), ("Tea", "Tea. Text."), ("Tea!", "Tea! Text.")),
        *(("Why?", "Why? Text."), ("So…", "So… Text."), ("Tea.", "Tea. Text.")),
    ],
)
def test_title_is_joined_with_one_stop(title, joined):
    assert join_title(title, "Text.") == joined


# the log


def rejection(reason, value="x"):
    return Rejected(3, "r.csv", 5, "text", reason, value)


def test_log_writes_one_json_object_a_line_and_counts_reasons(tmp_path):
    path = tmp_path / "deep" / "rejected.jsonl"
    with RejectionLog(path) as log:
        log.add(rejection("no text", "é" * 500))
        log.add(rejection("too few fields: 1, the header has 2"))
        log.add(rejection("too few fields: 3, the header has 9", "\ud83d"))
        assert log.total == 3
        assert log.counts == {"no text": 1, "too few fields": 2}
    first, second, _ = map(json.loads, path.read_text().splitlines())
    assert first == {
        **{"row": 3, "file": "r.csv", "line": 5, "field": "text"},
        **{"reason": "no text", "value": "é" * 200},
    }
    assert second["reason"] == "too few fields: 1, the header has 2"


def test_log_of_no_rejections_is_an_empty_file_that_replaces_the_old(tmp_path):
    path = tmp_path / "rejected.jsonl"
    path.write_text("old\n")
    with RejectionLog(path):
        pass
    assert path.read_text() == ""


def test_log_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    log = RejectionLog(tmp_path / "file" / "rejected.jsonl")
    with pytest.raises(InputError, match="Cannot write"):
        log.__enter__()


def test_log_that_is_not_open_refuses_rows(tmp_path):
    with pytest.raises(ValueError, match="not open"):
        RejectionLog(tmp_path / "rejected.jsonl").add(rejection("no text"))


def test_killed_run_leaves_whole_lines(tmp_path):
    path = tmp_path / "rejected.jsonl"
    program = (
        "import sys, pathlib\n"
        "from reviewintent_jax.data.checks import RejectionLog\n"
        "from reviewintent_jax.schema import Rejected\n"
        "with RejectionLog(pathlib.Path(sys.argv[1])) as log:\n"
        "    for row in range(10**9):\n"
        "        log.add(Rejected(row, 'r.csv', row, 'text', 'no text', 'é' * 200))\n"
        "        if row == 100: print('go', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    content = path.read_bytes()
    assert content.endswith(b"\n")
    rows = [json.loads(line)["row"] for line in content.splitlines()]
    assert rows == list(range(len(rows)))
    assert len(rows) > 100


def test_a_row_that_could_not_be_read_is_kept_as_it_was_written(tmp_path):
    line = "a,b," + "c" * 996
    raw = RawRow("r.csv", 2, {"text": "a"}, "too many fields: 3", line)
    rejected = check_row(raw, 0, source(), CheckSpec(max_characters=0))
    assert rejected.value == line
    with RejectionLog(tmp_path / "rejected.jsonl") as log:
        log.add(rejected)
        log.add(rejected._replace(field="text"))
    lines = (tmp_path / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(each)["value"] for each in lines] == [line, line[:200]]


def test_only_a_log_of_ours_may_be_written_over(tmp_path):
    path = tmp_path / "rejected.jsonl"
    assert is_rejection_log(path)
    for text, ours in (("", True), ('{"row": 1}\n', False), ("my notes", False)):
        path.write_text(text)
        assert is_rejection_log(path) is ours
    path.write_bytes(b"\xff\xfe[1]")
    assert not is_rejection_log(path)
    with RejectionLog(path) as log:
        log.add(Rejected(3, "a.csv", 5, "text", "no text", ""))
    assert is_rejection_log(path)
    assert not is_rejection_log(tmp_path)
