"""Reviews of the shop: the plan in order, and slips that mislead nobody."""

import functools
import itertools
import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import bazaar_text as text
from reviewintent_jax.data import bazaar_wording as wording
from reviewintent_jax.data.bazaar_goods import KINDS, Kind
from reviewintent_jax.data.bazaar_phrases import NAMES

CODES = range(6)
_LATE = {f"{{{name}}}": f"some{name}" for name in NAMES}
_LATE_WORDS = re.compile(
    "|".join(
        rf"(?P<{name}>\b(?:{'|'.join(sorted(words, key=len, reverse=True))})\b)"
        for name, words in NAMES.items()
    ),
    re.IGNORECASE,
)


def _simple(phrase: str) -> str:
    """Lower case, no punctuation; "after a week", "{time}" -> "after sometime"."""
    for name, mark in _LATE.items():
        phrase = phrase.replace(name, mark)
    phrase = _LATE_WORDS.sub(lambda match: f"some{match.lastgroup}", phrase)
    return re.sub("[^a-z0-9 ]", "", phrase.lower())


@functools.cache
def _reader(kind: int) -> tuple[dict[str, int], int]:
    """Code of every wording of a kind, -1 for small talk; and the longest, in words."""
    of_kind = KINDS[kind]
    cells = [(wording.small_talk(of_kind, place), -1) for place in range(3)]
    for code in CODES:
        cells += [(wording.statements(of_kind, code), code)]
        cells += [(wording.verdicts(of_kind, code), code)]
        cells += [(wording.clauses(aspect, code), code) for aspect in of_kind.aspects]
    known: dict[str, int] = {}
    for cell, code in cells:
        for form, places in cell:
            form = wording.fill_known(form, wording.item_names(of_kind))
            simple = [
                [_simple(word) for option in words for word in _items(option, of_kind)]
                for words, _ in places
            ]
            template = _simple(form.replace("%s", "0x0")).replace("0x0", "%s")
            for chosen in itertools.product(*simple):
                known[" ".join((template % chosen).split())] = code
    return known, max(phrase.count(" ") + 1 for phrase in known)


def _items(option: str, kind: Kind) -> list[str]:
    """What a word becomes when the product's names are filled in."""
    names = wording.item_names(kind)
    known = wording.fill_known(option, names)
    return sorted({known.replace("{this_item}", name) for name in names["this_item"]})


def _codes_in(review: str, kind: int) -> list[int]:
    """Read the plan back: the longest known wording at every place, left to right."""
    known, longest = _reader(kind)
    words, place, codes = _simple(review).split(), 0, []
    while place < len(words):
        for stop in range(min(len(words), place + longest), place, -1):
            code = known.get(" ".join(words[place:stop]))
            if code is not None:
                codes += [code] if code >= 0 else []
                place = stop
                break
        else:
            place += 1
    return codes


def test_a_plain_review_says_its_plan_in_order():
    writer, style = text.Writer(seed=1), text.STYLES.index("lower case")
    for number in range(300):
        rng = random.Random(number)
        kind = rng.choice([17, 31])
        aspects = [rng.randrange(6) for _ in range(rng.randrange(1, 9))]
        opening, closing = rng.randrange(-1, 6), rng.randrange(-1, 6)
        _, review = writer.write(kind, style, opening, closing, [*aspects, -1])
        assert _codes_in(review, kind) == [
            *([opening] if opening >= 0 else []),
            *aspects,
            *([closing] if closing >= 0 else []),
        ], review


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(wording.VOCABULARY)), st.integers(0, 2**32))
def test_a_slip_never_makes_another_known_word(word, seed):
    if len(word) > 4 and word.isalpha():
        typed = text._mistype(word, random.Random(seed).random)
        assert typed == word or typed not in wording.VOCABULARY


def test_the_same_seed_writes_the_same_review():
    first, second = (
        [text.Writer(seed=9).write(3, 1, 5, -1, [4, 1, -1]) for _ in range(2)]
        for _ in range(2)
    )
    assert first == second
