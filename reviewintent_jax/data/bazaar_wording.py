"""Templates and word lists of the built-in shop -> lines ready to be worded.

A :class:`Line` has open places with many words each; ``bazaar_text`` draws one word for
each place when a review is written. No wording belongs to two codes.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reviewintent_jax.data import bazaar_lexicon as lexicon
from reviewintent_jax.data import bazaar_lexicon_verdicts as sums
from reviewintent_jax.data.bazaar_goods import KINDS, Aspect, Kind
from reviewintent_jax.data.bazaar_lexicon_goods import words_of
from reviewintent_jax.data.bazaar_phrases import (
    ASIDES,
    CLAUSES,
    CLOSINGS,
    ENDING,
    NAMES,
    OPENINGS,
    PRODUCT,
    SAME,
    TITLES,
    TO_BAD,
    TO_GOOD,
    VERDICTS,
)

ZIPF_SHIFT = 20
"""Chance of the k-th word of a list: about 1 / (k + ZIPF_SHIFT) (Zipf-Mandelbrot)."""

_PIECE = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")
_NAME = re.compile(r"\{(\w+)\}")


def third_person(verb: str) -> str:
    """Conjugate the first word: "reach my wrists" -> "reaches my wrists"."""
    first, space, rest = verb.partition(" ")
    if first.endswith(("s", "x", "ch", "sh", "o")):
        first += "es"
    elif first.endswith("y") and first[-2] not in "aeiou":
        first = first[:-1] + "ies"
    else:
        first += "s"
    return first + space + rest


_SUMS = (
    sums.CONDEMN, sums.REJECT, sums.DOUBT, sums.ACCEPT, sums.PRAISE, sums.ACCLAIM,
)  # fmt: skip


def _words() -> frozenset[str]:
    """All words the shop knows, so that no typo lands on one of them."""
    lists = [
        *vars(lexicon).values(),
        *_SUMS,
        *CLAUSES,
        *PRODUCT,
        *VERDICTS,
        OPENINGS,
        ASIDES,
    ]
    lists += [CLOSINGS, *NAMES.values(), TITLES, SAME, TO_BAD, TO_GOOD, ENDING]
    lists += [words for kind in KINDS for words in words_of(kind.category)]
    lines = [line for part in lists if isinstance(part, tuple) for line in part]
    lines += [third_person(line) for line in lines]
    for kind in KINDS:
        lines += [kind.noun, *kind.uses, *kind.facts]
        for aspect in kind.aspects:
            lines += [aspect.name, *aspect.praise, *aspect.complaint, *aspect.good]
            lines += [word for event in aspect.bad for word in event]
            lines += [third_person(e[0]) for e in aspect.bad]
            lines += [third_person(habit) for habit in aspect.good]
    return frozenset(re.findall(r"[a-z']+", " ".join(lines).lower()))


VOCABULARY = _words()


Words = Sequence[str]
Names = Mapping[str, str | Words]


class Line(NamedTuple):
    """A template made ready: "the zip is %s" and what may stand for each "%s".

    Attributes:
      form: text with one "%s" per open place; names such as "{time}" may remain.
      places: for each, its words, and the base of the Zipf-like draw from them.
    """

    form: str
    places: tuple[tuple[Words, float], ...]


def _line(template: str, names: Names) -> Line:
    """Fill in what is known: "{A} {is} {X}" -> ("the zip is %s", words)."""
    places: list[tuple[Words, float]] = []

    def piece(match: re.Match[str]) -> str:
        value = names.get(match[2], match[0])
        if match[1] is not None:
            value = tuple(fill_known(option, names) for option in match[1].split("|"))
        if isinstance(value, str):
            return value
        assert value, f"{template}: nothing to choose from"
        places.append((tuple(value), 1 + len(value) / ZIPF_SHIFT))
        return "%s"

    return Line(_PIECE.sub(piece, template.replace("%", "%%")), tuple(places))


def fill_known(text: str, names: Names) -> str:
    """Fill in the names that stand for one text only."""

    def name(match: re.Match[str]) -> str:
        value = names.get(match[1], match[0])
        return value if isinstance(value, str) else match[0]

    return _NAME.sub(name, text) if "{" in text else text


def _plural(noun: str) -> str:
    if noun.endswith("shelf"):
        return noun[:-1] + "ves"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


@functools.cache
def item_names(kind: Kind) -> Names:
    """What stands for the product in templates and words; several: any of them."""
    noun, many = kind.noun, kind.plural
    article = "an" if noun[0] in "aeiou" else "a"
    this = ("this one", f"this {noun}", f"this {noun}", f"the {noun}")
    these = ("these", f"these {noun}", f"these {noun}", f"the {noun}")
    return {
        "item": noun,
        "item_s": noun if many else _plural(noun),
        "a_item": noun if many else f"{article} {noun}",
        "this_item": these if many else this,
        "this": "these" if many else "this one",
        "it": "they" if many else "it",
        "it_item": "they" if many else "it",
        "them": "them" if many else "it",
        "themselves": "themselves" if many else "itself",
        "is_item": "are" if many else "is",
        "was": "were" if many else "was",
        "s": "" if many else "s",
        "s_item": "" if many else "s",
        "use": kind.uses,
        "fact": kind.facts,
    }


_ANYTHING = (
    lexicon.AWFUL, lexicon.BAD, lexicon.SO_SO, lexicon.FAIR, lexicon.GOOD,
    lexicon.SUPERB,
)  # fmt: skip


@functools.cache
def _open_words(kind: Kind, code: int) -> Names:
    """The open lists of ``bazaar_phrases`` for a statement about a product."""
    of_kind, known = words_of(kind.category), item_names(kind)

    def verbs(base: Words) -> Words:
        return base if kind.plural else tuple(map(third_person, base))

    praise = {
        "G": of_kind.good,
        "D": verbs(lexicon.DOES_WELL + of_kind.do_well),
        "U": lexicon.DOES_WELL + of_kind.do_well,
        "H": lexicon.HAPPENED_GOOD,
        "P": lexicon.PEOPLE_LOVE,
        "V": lexicon.LOVE_VERBS,
    }
    damn = {
        "G": of_kind.bad,
        "D": verbs(lexicon.DOES_BADLY + of_kind.do_badly),
        "U": lexicon.DOES_BADLY + of_kind.do_badly,
        "H": lexicon.HAPPENED_BAD,
        "P": lexicon.PEOPLE_HATE,
        "V": lexicon.HATE_VERBS,
    }
    same, other = (damn, praise) if code < 3 else (praise, damn)
    lists = same | {"X": _ANYTHING[code], "W": _SUMS[code], "Y": _opposite(code)}
    lists |= {"O": other["G"], "U": other["U"]}
    lists |= {f"{name}1": _before_nouns(lists[name]) for name in "XG"}
    return {
        name: tuple([fill_known(w, known) if "{" in w else w for w in words])
        for name, words in lists.items()
    }


def _opposite(code: int) -> Words:
    """Plain words of the other sign, to be denied."""
    return lexicon.GOOD if code < 3 else lexicon.BAD


def _before_nouns(words: Words) -> Words:
    return tuple(word for word in words if " " not in word)


def _aspect_names(aspect: Aspect, code: int) -> Names:
    many, now = aspect.plural, aspect.part
    own = {*aspect.praise, *aspect.complaint}
    if not aspect.part:
        own |= lexicon.OF_THINGS
    anything = tuple(word for word in _ANYTHING[code] if word not in own)
    sides = (aspect.praise, aspect.complaint)
    base, past, _ = zip(*aspect.bad, strict=True)
    verb = ("are" if many else "is") if now else ("were" if many else "was")
    return {
        "A": f"the {aspect.name}",
        "a": aspect.name,
        "is": verb,
        "isnt": f"{verb}n't",
        "was": "were" if many else "was",
        "were": "were",
        "it": "they" if many else "it",
        "s": "" if many else "s",
        "dont": "don't" if many else "doesn't",
        "X": anything,
        "Y": tuple(word for word in _opposite(code) if word not in own),
        "V": lexicon.HATE_VERBS if code < 3 else lexicon.LOVE_VERBS,
        "same": sides[code < 3],
        "other": sides[code >= 3],
        "bad_ed": past,
        "bad_s": base if many else tuple(map(third_person, base)),
        "good": aspect.good,
        "good_s": aspect.good if many else tuple(map(third_person, aspect.good)),
    }


Cell = tuple[Line, ...]


@functools.cache
def clauses(aspect: Aspect, code: int) -> Cell:
    """Wordings of one code about one aspect; "{item}" and such are still open."""
    names = _aspect_names(aspect, code)
    return tuple(
        _line(template, names)
        for template in CLAUSES[code]
        if aspect.part or " on my " not in template
    )


@functools.cache
def statements(kind: Kind, code: int) -> Cell:
    """Wordings of a statement of one code on one kind of product."""
    names = {**item_names(kind), **_open_words(kind, code)}
    return tuple(_line(template, names) for template in PRODUCT[code])


@functools.cache
def verdicts(kind: Kind, code: int) -> Cell:
    """Wordings of a verdict of one code on one kind of product."""
    names = {**item_names(kind), **_open_words(kind, code)}
    return tuple(_line(template, names) for template in VERDICTS[code])


@functools.cache
def small_talk(kind: Kind, place: int) -> Cell:
    """Neutral lines: for the start (0), middle (1), end (2) and title (3)."""
    lines = (OPENINGS, ASIDES, CLOSINGS, TITLES)[place]
    return tuple(_line(template, item_names(kind)) for template in lines)
