"""What a trained model can be asked about single rows."""

from types import SimpleNamespace

import pytest

from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.trained import make_scorer


def test_a_run_that_knows_subjects_alone_points_to_their_file():
    trained = SimpleNamespace(
        intention=object(),
        labels=LabelMap.empty(),
        data=SimpleNamespace(intention=SimpleNamespace(over_time=True)),
    )
    with pytest.raises(InputError, match="--subjects=FILE"):
        make_scorer(trained, None)
