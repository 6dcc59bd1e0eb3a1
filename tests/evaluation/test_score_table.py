"""Scoring tables: every row comes out once, whatever is wrong with it."""

import json

import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.score_table import TableScorer, score_table


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
