"""A newer table is read as the run's own was, or refused with a cure that helps."""

import pytest

from reviewintent_jax.build_forecast import read_newer
from reviewintent_jax.data.series import Header, SeriesSpec
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.forecast import TrainedForecaster

NAMES = ("tea", "milk")


def trained(time="auto"):
    data = SeriesSpec("old.csv", Header.AUTO, time, DateOrder.ISO, ())
    facts = dict.fromkeys(TrainedForecaster._fields)
    return TrainedForecaster(**{**facts, "names": NAMES, "data": data})


def test_the_series_of_training_are_taken_in_their_order(tmp_path):
    (tmp_path / "new.csv").write_text("milk,note,tea\n1,x,2\n3,y,4\n")
    series = read_newer(trained(), str(tmp_path / "new.csv"))
    assert series.names == NAMES
    assert series.value_ts.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("text", "time", "fix"),
    [
        ("tee,milk\n1,2\n", "auto", "Its columns must be called tea, milk, as in"),
        ("tea,milk\n1,2\n", "day", "Its columns must be called day, tea, milk, as"),
        ("tea,milk\n1,\n", "auto", "Fill it in or remove the row: what to fill in"),
        ("tea,milk\n1,x\n", "auto", "Put a number there."),
        ("day,tea,milk\n05/06/2020,1,2\n", "auto", "Write dates as 2016-07-01"),
        ("tea,milk\n2020-01-01,1\n", "", "Its columns must be called tea, milk, as"),
    ],
)
def test_no_setting_is_named_since_those_of_the_run_stand(tmp_path, text, time, fix):
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(InputError) as error:
        read_newer(trained(time), str(tmp_path / "new.csv"))
    assert fix in error.value.fix
    assert "--config" not in str(error.value)
