"""Rows that stand alone: their own numbers beside their own text, nothing before."""

import numpy as np
import pytest

from reviewintent_jax.data.histories import CovariateScale
from reviewintent_jax.data.intention import Covariate
from reviewintent_jax.evaluation.row_intention import (
    RowIntention,
    covariate_columns,
    read_numbers,
    row_histories,
)
from reviewintent_jax.schema import RawRow, Review
from tests.data.intention_cases import DAY, START, intention_spec

SPEC = intention_spec(
    kind="stated",
    subject="",
    stars="stars",
    helpful="votes",
    covariates=(
        *(Covariate.STARS, Covariate.HELPFUL, Covariate.LENGTH, Covariate.SEASON),
    ),
)
ROWS = [({"stars": "4", "votes": "[3, 9]"}, 0), ({"stars": "", "votes": 0}, 91)]


def numbers_of(spec=SPEC):
    raws = [RawRow("new.csv", 2, fields) for fields, _ in ROWS]
    reviews = [
        Review(row, "new.csv", 2, "", "", "", START + day * DAY, "")
        for row, (_, day) in enumerate(ROWS)
    ]
    return read_numbers(spec, raws, reviews, ["I want it", "no"])


def test_every_row_is_its_own_window_with_its_own_numbers():
    mean, spread = (4.0, 0.0, 0.0, 0.0, 0.0), (2.0, 1.0, 1.0, 1.0, 1.0)
    scale = CovariateScale(SPEC.covariate_names, mean, spread)
    asked = RowIntention(SPEC, scale, ("no", "yes"), 1.0, None)
    fields, planner = row_histories(asked, numbers_of())
    assert fields.window_nw.tolist() == [[0], [1]]
    assert planner.order_n.tolist() == [0, 1]
    stars, helpful, length, sine, cosine = fields.covariate_nx.T
    assert stars.tolist() == [0, 0]  # the mean, and missing, which is read as the mean
    assert helpful == pytest.approx([np.log(4), 0])
    assert length == pytest.approx(np.log([4, 2]))
    assert sine == pytest.approx([0, 1], abs=0.01)
    assert cosine == pytest.approx([1, 0], abs=0.01)


def test_the_answers_have_columns_of_their_own():
    asked = RowIntention(SPEC, CovariateScale((), (), ()), ("no", "yes"), 1.0, None)
    assert asked.columns() == {
        "intention": str,
        "intention_probability_no": float,
        "intention_probability_yes": float,
    }


def test_only_columns_of_numbers_that_are_read_are_asked_for():
    assert covariate_columns(SPEC, "when") == {
        "intention.stars": "stars",
        "intention.helpful": "votes",
        "data.time": "when",
    }
    bare = intention_spec(kind="proxy_rating", subject="", stars="stars")
    assert covariate_columns(bare, "when") == {}
