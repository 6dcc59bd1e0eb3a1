"""New cases of a run on declared sources: other tables, and which make no sense."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest

from configs import msdp
from launch import cases
from launch.cases import Tables, only, predict_cases, with_tables
from launch.kits import KITS
from launch.own_data import refuse_flags
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_msdp import read_msdp_config
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.msdp_build import newest_cases
from reviewintent_jax.data.msdp_features import blank_batch, fit_features
from reviewintent_jax.data.msdp_specs import CaseKind
from reviewintent_jax.data.tables import TableFormat
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.msdp_answers import TrainedMsdp
from tests.data.purchases import CUTS, write_customers, write_purchases

CSV = TableFormat.CSV


@pytest.fixture
def config(tmp_path):
    """Customers at cuts, with an age, a country and what was noted."""
    config = msdp.get_config()
    config.data.update(
        path=str(write_customers(tmp_path / "customers.csv", customers=20)),
        subject="who",
        categories=("land",),
        numbers=("age",),
    )
    config.events.update(
        path=str(write_purchases(tmp_path / "purchases.csv", customers=20)),
        subject="who",
        time="when",
        order="order",
        value="price",
        texts=("note",),
        recent=4,
        recent_texts=1,
        summaries=True,  # so that events are read without an LSTNet to compile
    )
    config.cuts.dates = CUTS
    config.targets.update(intent="events", horizon_days=60)
    config.lstnet.update(channels=3, recurrent_features=5, highway_window=2)
    config.network.update(features=7, sources=("structured",))
    return config


def own_time(config, folder):
    """The same customers, each asked about on a day of its own, by a column."""
    table = pd.read_csv(config.data.path)
    table["asked"], table["answer"] = "2020-07-01", ["1", "0", "1"] * 7
    table.to_csv(folder / "asked.csv", index=False)
    config.data.update(path=str(folder / "asked.csv"), time="asked")
    config.cuts.dates = ()
    config.targets.update(intent="answer", positive=("1",))
    return config


def schema_of(config):
    return read_msdp_config(plain_values(config)).schema()


def read(schema, folder):
    with RejectionLog(folder / "rejected.jsonl") as log:
        return newest_cases(schema, log)


@pytest.fixture
def answers(monkeypatch, tmp_path):
    """config, tables -> rows that predict writes, by a network that learned nothing."""

    def answer(config, *tables):
        whole = read_msdp_config(plain_values(config))
        schema = whole.schema()
        fit = fit_features(
            read(schema, tmp_path)._replace(split_n=np.zeros(21, np.int8)), schema
        )
        model, batch = whole.model(fit, 0), blank_batch(schema, fit, 0)

        def init(key):
            return model.init(key, batch, deterministic=True)["params"]

        params = jax.jit(init)(jax.random.key(0))
        trained = TrainedMsdp(model, params, 0, fit, schema, 1.0, whole.evaluation, 0)
        monkeypatch.setattr(cases, "load_msdp", lambda run: (trained, whole))
        out = tmp_path / "said.csv"
        run = RunFolder(tmp_path / "run")
        predict_cases(run, Tables(*map(str, tables)), str(out), CSV)
        return pd.read_csv(out)

    return answer


def test_rows_with_a_time_of_their_own_are_asked_about_beside_the_old_events(
    config, answers, tmp_path
):
    newer = tmp_path / "newer.csv"
    newer.write_text(
        "who,land,age,asked\nC3,fr,70,2020-12-30\nN1,fr,20,2020-12-30\n"
        "N2,fr,70,2020-12-30\n"
    )
    said = answers(own_time(config, tmp_path), "", newer)
    assert said["subject"].tolist() == ["C3", "N1", "N2"]
    assert (said["moment"] == "2020-12-30").all()
    old, young, new = said["probability"]
    assert young != new  # who differ in their age alone
    assert old != new  # who differ in the events before alone


def test_at_cuts_those_who_stand_in_the_table_are_answered_and_nobody_else(
    config, answers, tmp_path
):
    newer = tmp_path / "newer.csv"
    newer.write_text("who,land,age\nN1,fr,20\nC5,de,31\n")
    said = answers(config, "", newer)
    assert sorted(said["subject"]) == ["C5", "N1"]
    assert (said["weight_structured"] > 0).all()


def test_a_missing_column_is_to_be_brought_not_set(config, answers, tmp_path):
    newer = tmp_path / "newer.csv"
    newer.write_text("who,land,ages\nN1,fr,20\n")
    with pytest.raises(InputError, match="no column 'age'") as raised:
        answers(config, "", newer)
    assert raised.value.where == str(newer)
    assert raised.value.fix.startswith("Did you mean 'ages'?")
    assert "--config" not in raised.value.fix


def test_some_cases_keep_their_own_texts(config, tmp_path):
    whole = read(schema_of(config), tmp_path)
    names = {"C2", "new", "C7"}
    some = only(whole, names)

    def told(cases):
        return {
            name: [cases.texts[k] if k >= 0 else None for k in row]
            for name, row in zip(cases.names, cases.text_nk.tolist(), strict=True)
        }

    assert told(some) == {n: t for n, t in told(whole).items() if n in names}
    assert told(some)["new"] == [None]
    assert len(some.texts) == 2
    rows = [whole.names.index(name) for name in some.names]
    np.testing.assert_array_equal(some.number_nf, whole.number_nf[rows])
    np.testing.assert_array_equal(some.targets.days_n, whole.targets.days_n[rows])


def test_either_table_may_be_another_one(config):
    schema = schema_of(config)
    assert with_tables(schema, Tables()) == schema
    events = with_tables(schema, Tables("e.csv"))
    assert (events.events.path, events.data.path) == ("e.csv", schema.data.path)
    both = with_tables(schema, Tables("e.csv", "c.csv"))
    assert (both.events.path, both.data.path) == ("e.csv", "c.csv")


def test_tables_that_make_no_sense_are_refused(config):
    schema = schema_of(config)
    data = dataclasses.replace
    lone = data(
        schema,
        events=data(schema.events, path=""),
        cuts=data(schema.cuts, dates=()),
        targets=data(schema.targets, intent="answer", positive=("1",)),
    )
    with pytest.raises(InputError, match="reads no events") as raised:
        with_tables(lone, Tables("", "c.csv"))
    assert raised.value.fix == "Give --input=c.csv."
    assert with_tables(lone, Tables("c.csv")).data.path == "c.csv"
    bare = data(
        schema, data=data(schema.data, path="", subject="", categories=(), numbers=())
    )
    with pytest.raises(InputError, match="no table of cases"):
        with_tables(bare, Tables("", "c.csv"))
    members = data(schema, data=data(schema.data, kind=CaseKind.MEMBERS, path=""))
    for one in (Tables("e.csv"), Tables("", "c.csv")):
        with pytest.raises(InputError, match="built-in members"):
            with_tables(members, one)
    files = with_tables(members, Tables("e.csv", "c.csv"))
    assert files.data.kind is CaseKind.TABLE


def test_every_task_is_called_by_what_it_is():
    assert {task.value: kit.called for task, kit in KITS.items()} == {
        "forecast": "a forecast",
        "heading": "a run on reviews over time",
        "pretrain": "a pre-training",
        "msdp": "a run on declared sources",
    }
    given, not_given = (SimpleNamespace(name="text", value=v) for v in ("a", ""))
    refuse_flags("a forecast", not_given)
    with pytest.raises(InputError, match=r"^This is a forecast; --text does not apply"):
        refuse_flags("a forecast", not_given, given)
