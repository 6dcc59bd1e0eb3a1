"""Wordings of the shop: readable, varied, and each of one code only."""

import functools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import bazaar_text as text
from reviewintent_jax.data.bazaar_goods import CATEGORIES, KINDS

CODES = range(6)


def _all(cell: text.Cell) -> set[str]:
    return {wording for options in cell for wording in options}


def _read(wordings: set[str]) -> set[str]:
    """What survives sloppy typing: letters and digits in lower case."""
    return {re.sub(r"[^a-z0-9 ]", "", wording.lower()) for wording in wordings}


def test_no_wording_about_an_aspect_belongs_to_two_codes():
    for aspect in {aspect for kind in KINDS for aspect in kind.aspects}:
        cells = [_read(_all(text.clauses(aspect, code))) for code in CODES]
        assert sum(map(len, cells)) == len(set.union(*cells)), aspect.name


def test_no_verdict_belongs_to_two_codes_or_to_small_talk():
    for kind in KINDS[::7]:
        cells = [_read(_all(text.verdicts(kind, code))) for code in CODES]
        cells += [_read(_all(text.small_talk(kind, place))) for place in range(3)]
        assert sum(map(len, cells[:7])) == len(set.union(*cells[:7]))
        assert not set.union(*cells[:6]) & set.union(*cells[6:])


def test_ten_categories_with_kinds_and_aspects_of_their_own():
    assert len(CATEGORIES) >= 10
    assert len({kind.noun for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        parts = [aspect for aspect in kind.aspects if aspect.part]
        assert len(parts) >= 5
        assert all(len(a.praise) > 1 and len(a.complaint) > 1 for a in kind.aspects)


def test_some_words_praise_one_aspect_and_damn_another():
    aspects = {aspect for kind in KINDS for aspect in kind.aspects}
    praise = {word for aspect in aspects for word in aspect.praise}
    complaint = {word for aspect in aspects for word in aspect.complaint}
    assert {"light", "long", "cheap", "strong", "thin", "short"} <= praise & complaint


def test_a_plain_review_says_its_plan_in_order():
    writer, style = text.Writer(seed=1), text.STYLES.index("lower case")
    for number in range(120):
        rng = random.Random(number)
        kind = rng.choice([0, 17, 31, 58])
        aspects = [rng.randrange(6) for _ in range(rng.randrange(1, 9))]
        opening, closing = rng.randrange(-1, 6), rng.randrange(-1, 6)
        _, review = writer.write(kind, style, opening, closing, [*aspects, -1])
        assert _codes_in(review, kind) == [
            *([opening] if opening >= 0 else []),
            *aspects,
            *([closing] if closing >= 0 else []),
        ]


def _codes_in(review: str, kind: int) -> list[int]:
    """Read the plan back: the longest known wording at every place, left to right."""
    known, pattern = _reader(kind)
    found = [known[match[0]] for match in pattern.finditer(_simple(review))]
    return [code for code in found if code >= 0]


@functools.cache
def _reader(kind: int) -> tuple[dict[str, int], re.Pattern[str]]:
    of_kind = KINDS[kind]
    names = text._item_names(of_kind)
    known: dict[str, int] = {}
    for code in CODES:
        cells = [text.clauses(aspect, code) for aspect in of_kind.aspects]
        for wording in set.union(*map(_all, cells), _all(text.verdicts(of_kind, code))):
            for name in ("item", "this", "s_item"):
                wording = wording.replace(f"{{{name}}}", str(names[name]))
            known[_simple(wording)] = code
    for place in range(3):
        known |= dict.fromkeys(map(_simple, _all(text.small_talk(of_kind, place))), -1)
    longest = sorted(known, key=len, reverse=True)
    return known, re.compile("|".join(map(re.escape, longest)))


def _simple(wording: str) -> str:
    return f" {re.sub('[^a-z0-9 ]', '', wording.lower())}".rstrip()


def test_nothing_is_left_to_fill_in():
    for kind in KINDS:
        for code in CODES:
            for wording in _all(text.verdicts(kind, code)):
                assert not re.search(r"[\[\]{}|]|  | ,", wording), wording
        for place in range(4):
            for wording in _all(text.small_talk(kind, place)):
                assert not re.search(r"[\[\]{}|]|  | ,", wording), wording


def test_plurals_agree():
    for kind in KINDS:
        if kind.plural:
            for code in CODES:
                for wording in _all(text.verdicts(kind, code)):
                    assert f"this {kind.noun}" not in wording
                    assert f"{kind.noun} is" not in wording


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("jam", "jams"),
        ("match the photos", "matches the photos"),
        ("go up", "goes up"),
        ("stay shut", "stays shut"),
        ("carry on", "carries on"),
    ],
)
def test_third_person(verb, wanted):
    assert text.third_person(verb) == wanted


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(text._VOCABULARY)), st.integers(0, 2**32))
def test_a_slip_never_makes_another_known_word(word, seed):
    if len(word) > 4 and word.isalpha():
        typed = text._mistype(word, random.Random(seed).random)
        assert typed == word or typed not in text._VOCABULARY


def test_the_same_seed_writes_the_same_review():
    first, second = (
        [text.Writer(seed=9).write(3, 1, 5, -1, [4, 1, -1]) for _ in range(2)]
        for _ in range(2)
    )
    assert first == second
