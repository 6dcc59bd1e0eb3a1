"""Scoring tables: every row comes out once, whatever is wrong with it."""

import dataclasses
import json

import numpy as np
import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.histories import CovariateScale
from reviewintent_jax.data.intention import Covariate
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.row_intention import RowIntention
from reviewintent_jax.evaluation.score_table import TableScorer, score_table
from tests.data.intention_cases import intention_spec


@pytest.fixture
def scorer(tiny_config, tiny_encoder):
    """Scores nothing: for rows without an answer the model is not asked."""
    config = read_config(plain_values(tiny_config))
    given = {
        "tokenizer": ReviewTokenizer(tiny_encoder),
        "cleaner": Cleaner(config.clean),
        "pages": config.pages,
        "batch_pages": 1,
        "classes": ("negative", "positive"),
        "temperature": 1.0,
        "source": config.data,
        "check": config.check,
    }
    return TableScorer(**(dict.fromkeys(TableScorer._fields) | given))


@pytest.mark.parametrize(
    ("name", "content", "problems"),
    [
        (
            "r.csv",
            "text,stars\na,b,c,d\none\n",
            ["too many fields", "too few fields"],
        ),
        (
            "r.jsonl",
            '{"text": ""}\n[1, 2]\n{"text":\n',
            ["no text", "a JSON value that is no object", "not valid JSON"],
        ),
    ],
)
def test_rows_that_cannot_be_read_come_out_once_with_their_problem(
    scorer, tmp_path, name, content, problems
):
    table, target = tmp_path / name, tmp_path / "scored.jsonl"
    table.write_text(content)
    added = scorer.added_columns()
    with open_writer(str(target), table_layout(table), added) as writer:
        scored = score_table(scorer, read_table(table), writer)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["problem"].split(":")[0] for row in rows] == problems
    assert [row["predicted"] for row in rows] == [None] * len(problems)
    assert scored.rows == len(problems)


def stub(sentiment, intention):
    """Logits that grow with the length of the slot, where there is a review."""

    def score(params, batch):
        length_bk = np.asarray(batch.slot_length_bk, np.float32)[..., None]
        parts = [0 * length_bk, length_bk / 10] if sentiment else []
        if intention:
            assert batch.history is not None
            # a row alone is its own window
            assert ((batch.history.window_slots_bkw >= 0).sum(-1) <= 1).all()
            covariate = batch.history.covariate_bkx[..., :1]
            parts += [covariate, 0 * covariate] + [0 * covariate] * 2
        return np.concatenate(parts, axis=-1)

    return score


ASKED = intention_spec(
    kind="stated", subject="", stars="stars", covariates=(Covariate.STARS,)
)


@pytest.mark.parametrize(
    ("sentiment", "intention"), [(True, False), (False, True), (True, True)]
)
def test_every_row_gets_the_answers_that_the_model_has(
    scorer, tmp_path, sentiment, intention
):
    table, target = tmp_path / "new.jsonl", tmp_path / "scored.jsonl"
    texts = ["great", "", "it leaks and leaks and leaks", "fine"]
    rows = [{"text": t, "stars": n + 1} for n, t in enumerate(texts)]
    table.write_text("\n".join(map(json.dumps, rows)))
    scale = CovariateScale(("stars",), (2.0,), (1.0,))
    asked = RowIntention(ASKED, scale, ("no", "yes"), 2.0, None)
    scorer = scorer._replace(
        score=stub(sentiment, intention),
        classes=scorer.classes if sentiment else (),
        source=dataclasses.replace(scorer.source, text="text", title="", time=""),
        intention=asked if intention else None,
    )
    with open_writer(
        str(target), table_layout(table), scorer.added_columns()
    ) as writer:
        scored = score_table(scorer, read_table(table), writer)
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["text"] for row in found] == texts
    assert [row["problem"] for row in found] == [None, "no text", None, None]
    assert scored.predicted.total() == 3
    for n, row in enumerate(found):
        assert ("predicted" in row, "intention" in row) == (sentiment, intention)
        if not texts[n]:
            assert not any(v for k, v in row.items() if "probability" in k)
            continue
        if sentiment:
            length = len(scorer.tokenizer.encode([texts[n]])[0]) + 2  # [CLS], [SEP]
            wanted = 1 / (1 + np.exp(-length / 10))
            assert row["probability_positive"] == pytest.approx(wanted, abs=1e-5)
            assert row["predicted"] == "positive"
        if intention:
            wanted = 1 / (1 + np.exp(((n + 1) - 2) / 2))
            assert row["intention_probability_yes"] == pytest.approx(wanted, abs=1e-5)
            assert row["intention"] == ("yes" if wanted > 0.5 else "no")
