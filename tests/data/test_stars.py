"""Stars as people write them."""

import pytest

from reviewintent_jax.data.stars import parse_stars


@pytest.mark.parametrize(
    ("raw", "stars"),
    [
        ("5", 5.0),
        ("4.0", 4.0),
        ("3,5", 3.5),
        ("5 stars", 5.0),
        ("1 Star", 1.0),
        ("4/5", 4.0),
        ("4.0 out of 5 stars", 4.0),
        ("★★★", 3.0),
        ("★★☆☆☆", 2.0),
        ("⭐⭐⭐⭐", 4.0),
        ("-1", -1.0),
        ("4/10", None),
        ("great", None),
        ("5 apples", None),
        ("", None),
    ],
)
def test_stars_as_people_write_them(raw, stars):
    assert parse_stars(raw) == stars
