"""Wordings of the shop: readable, many, and each of one code only."""

import itertools
import re

import pytest

from reviewintent_jax.data import bazaar_lexicon as lexicon
from reviewintent_jax.data import bazaar_wording as wording
from reviewintent_jax.data.bazaar_goods import CATEGORIES, KINDS
from reviewintent_jax.data.bazaar_lexicon_goods import words_of

CODES = range(6)
ASPECTS = sorted({aspect for kind in KINDS for aspect in kind.aspects}, key=str)


def _all(cell: wording.Cell) -> set[str]:
    """Every text the lines can become, as it survives sloppy typing."""
    texts = (
        line.form % chosen
        for line in cell
        for chosen in itertools.product(*(words for words, _ in line.places))
    )
    return {re.sub(r"[^a-z0-9 ]", "", text.lower()) for text in texts}


@pytest.mark.parametrize("aspect", ASPECTS[::13], ids=lambda aspect: aspect.name)
def test_no_wording_about_an_aspect_belongs_to_two_codes(aspect):
    cells = [_all(wording.clauses(aspect, code)) for code in CODES]
    assert sum(map(len, cells)) == len(set.union(*cells))


@pytest.mark.parametrize("kind", KINDS[::23], ids=lambda kind: kind.noun)
def test_no_wording_about_a_product_belongs_to_two_codes_or_to_small_talk(kind):
    cells = [
        _all(wording.statements(kind, code) + wording.verdicts(kind, code))
        for code in CODES
    ]
    assert sum(map(len, cells)) == len(set.union(*cells))
    talk = [_all(wording.small_talk(kind, place)) for place in range(3)]
    assert not set.union(*cells) & set.union(*talk)


@pytest.mark.parametrize("aspect", ASPECTS[::7], ids=lambda aspect: aspect.name)
def test_no_word_for_an_aspect_is_of_two_codes(aspect):
    own = [set(aspect.praise), set(aspect.complaint)]
    words = [set(wording._aspect_names(aspect, code)["X"]) for code in CODES]
    assert sum(map(len, own + words)) == len(set.union(*own, *words))


def test_the_words_of_a_list_are_of_no_other_list():
    names = ("SUPERB", "GOOD", "FAIR", "SO_SO", "BAD", "AWFUL", "DOES_WELL")
    names += ("DOES_BADLY", "HAPPENED_GOOD", "HAPPENED_BAD", "PEOPLE_LOVE")
    names += ("PEOPLE_HATE", "LOVE_VERBS", "HATE_VERBS")
    words = [word for name in names for word in getattr(lexicon, name)]
    assert sorted(words) == sorted(set(words))
    for category in CATEGORIES:
        own = [word for words in words_of(category) for word in words]
        assert sorted(own) == sorted(set(own))
        assert not set(words_of(category).good) & {*lexicon.BAD, *lexicon.AWFUL}
        assert not set(words_of(category).bad) & {*lexicon.GOOD, *lexicon.SUPERB}


def test_the_vocabulary_is_open_on_both_sides():
    sides = (
        (lexicon.SUPERB, lexicon.GOOD, lexicon.DOES_WELL, lexicon.HAPPENED_GOOD),
        (lexicon.AWFUL, lexicon.BAD, lexicon.DOES_BADLY, lexicon.HAPPENED_BAD),
    )
    for side in sides:
        assert sum(map(len, side)) > 300
    for praise, damn in ((0, 1), (2, 3)):
        sizes = [
            sum(len(words_of(category)[which]) for category in CATEGORIES)
            for which in (praise, damn)
        ]
        assert min(sizes) > 100


def test_ten_categories_with_kinds_and_aspects_of_their_own():
    assert len(CATEGORIES) >= 10
    assert len({kind.noun for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        parts = [aspect for aspect in kind.aspects if aspect.part]
        assert len(parts) >= 5
        assert all(len(a.praise) > 1 and len(a.complaint) > 1 for a in kind.aspects)


def test_some_words_praise_one_aspect_and_damn_another():
    praise = {word for aspect in ASPECTS for word in aspect.praise}
    complaint = {word for aspect in ASPECTS for word in aspect.complaint}
    assert {"light", "long", "cheap", "strong", "thin", "short"} <= praise & complaint


def _lines(kind) -> list[wording.Line]:
    cells = [wording.small_talk(kind, place) for place in range(4)]
    for code in CODES:
        cells += [wording.statements(kind, code), wording.verdicts(kind, code)]
        cells += [wording.clauses(aspect, code) for aspect in kind.aspects]
    return [line for cell in cells for line in cell]


def test_only_what_the_writer_fills_in_is_left_open():
    last = {*wording.NAMES, *wording.item_names(KINDS[0])}
    lines = {line for kind in KINDS for line in _lines(kind)}
    texts = {line.form for line in lines}
    texts.update(*(words for words in {p[0] for line in lines for p in line.places}))
    assert len(texts) > 3000
    for text in texts:
        assert set(re.findall(r"\{(\w+)\}", text)) <= last, text
        assert not re.search(r"[\[\]|]|  | ,", text), text


def test_plurals_agree():
    for kind in KINDS:
        if kind.plural:
            for form, places in _lines(kind):
                text = " ".join(
                    [form, *(word for words, _ in places for word in words)]
                )
                assert f"this {kind.noun}" not in text
                assert f"{kind.noun} is" not in text
                assert not re.search(r"\b(they|these) (is|was)\b", text), text


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
    assert wording.third_person(verb) == wanted
