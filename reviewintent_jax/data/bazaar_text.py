"""How the customers of the built-in shop write: a plan in -> title and text out.

Each statement of a plan becomes one clause of its code from ``bazaar_phrases``; between
the clauses stand small talk and joiners that carry no news. No clause belongs to two
codes, so the plan can be read back from the text. A slip of the finger never turns one
known word into another.
"""

import functools
import random
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reviewintent_jax.data.bazaar_goods import EVERYWHERE, KINDS, Aspect, Kind
from reviewintent_jax.data.bazaar_phrases import (
    ASIDES,
    CLAUSES,
    CLOSINGS,
    ENDING,
    FACES,
    NAMES,
    NEAR,
    OPENINGS,
    PARTS_ONLY,
    SAME,
    TITLES,
    TO_BAD,
    TO_GOOD,
    VERDICTS,
)

STYLES = ("plain", "careless", "lower case", "cheerful", "capitals", "phone")
STYLE_SHARES = (0.46, 0.2, 0.1, 0.12, 0.02, 0.1)
"""How customers write, and what share of them: a habit, whatever they think."""

CELL = 60
"""About how many wordings are kept for each kind of product, aspect and code."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{(\w+)\}")
_START = re.compile(r"([.?!] )([a-z])")


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


def _words() -> frozenset[str]:
    """All words the shop knows, so that no typo lands on one of them."""
    text = [*CLAUSES, *PARTS_ONLY.values(), *VERDICTS, OPENINGS, ASIDES, CLOSINGS]
    lists = [line for lines in [*text, *NAMES.values(), TITLES] for line in lines]
    lists += [*SAME, *TO_BAD, *TO_GOOD, *ENDING]
    for kind in KINDS:
        lists += [kind.noun, *kind.uses, *kind.facts]
        for aspect in kind.aspects:
            lists += [aspect.name, *aspect.praise, *aspect.complaint, *aspect.good]
            lists += [word for event in aspect.bad for word in event]
            lists += [third_person(e[0]) for e in aspect.bad]
            lists += [third_person(habit) for habit in aspect.good]
    return frozenset(re.findall(r"[a-z']+", " ".join(lists).lower()))


_VOCABULARY = _words()


Names = Mapping[str, str | Sequence[str]]


def _fill(template: str, names: Names, rng: random.Random) -> str:
    """Resolve choices and names: "[very|] {pos}" -> "very light"; other names stay."""
    found = 1
    while found:
        template, found = _CHOICE.subn(lambda m: rng.choice(m[1].split("|")), template)

    def name(match: re.Match[str]) -> str:
        value = names.get(match[1], match[0])
        return value if isinstance(value, str) else rng.choice(value)

    template = " ".join(_NAME.sub(name, template).split())
    return _START.sub(lambda m: m[1] + m[2].upper(), template)


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _item_names(kind: Kind) -> Names:
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
        "it_item": "they" if many else "it",
        "them": "them" if many else "it",
        "is_item": "are" if many else "is",
        "s_item": "" if many else "s",
        "use": kind.uses,
        "fact": kind.facts,
        **NAMES,
    }


def _aspect_names(aspect: Aspect, rng: random.Random) -> Names:
    many, now = aspect.plural, aspect.part or rng.random() < 0.5
    praise, complaint = rng.sample(aspect.praise, 2), rng.sample(aspect.complaint, 2)
    base, past, participle = rng.choice(aspect.bad)
    good = rng.choice(aspect.good)
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
        "has": "have" if many else "has",
        "hasnt": "haven't" if many else "hasn't",
        "dont": "don't" if many else "doesn't",
        "pos": praise[0],
        "pos2": praise[1],
        "neg": complaint[0],
        "neg2": complaint[1],
        "bad": base,
        "bad_ed": past,
        "bad_en": participle,
        "bad_s": base if many else third_person(base),
        "good": good,
        "good_s": good if many else third_person(good),
        **NAMES,
    }


Cell = tuple[tuple[str, ...], ...]
"""Wordings: one tuple for each template."""


def _cell(
    name: str, templates: Sequence[str], names: Callable[[random.Random], Names]
) -> Cell:
    """About ``CELL`` fillings of the templates, always the same ones."""
    rng = random.Random(zlib.crc32(name.encode()))
    each = range(1 + CELL // len(templates))
    return tuple(
        tuple(dict.fromkeys(_fill(template, names(rng), rng) for _ in each))
        for template in templates
    )


@functools.cache
def clauses(aspect: Aspect, code: int) -> Cell:
    """Wordings of one code about one aspect; "{item}" and such are still open."""
    templates = CLAUSES[code] + (PARTS_ONLY.get(code, ()) if aspect.part else ())
    return _cell(f"{aspect} {code}", templates, lambda rng: _aspect_names(aspect, rng))


@functools.cache
def verdicts(kind: Kind, code: int) -> Cell:
    """Wordings of a verdict of one code on one kind of product."""
    return _cell(f"{kind} {code}", VERDICTS[code], lambda _: _item_names(kind))


@functools.cache
def small_talk(kind: Kind, place: int) -> Cell:
    """Neutral lines: for the start (0), middle (1), end (2) and title (3)."""
    lines = (OPENINGS, ASIDES, CLOSINGS, TITLES)[place]
    return _cell(f"{kind} talk {place}", lines, lambda _: _item_names(kind))


class _Phrases(NamedTuple):
    """All wordings for one kind of product.

    Attributes:
      verdicts: by code.
      clauses: by aspect, then by code.
      talk: by place.
      names: what is still open in the clauses.
      orders: orders in which to mention the aspects.
    """

    verdicts: tuple[Cell, ...]
    clauses: tuple[tuple[Cell, ...], ...]
    talk: tuple[Cell, ...]
    names: tuple[tuple[str, str], ...]
    orders: Sequence[Sequence[int]]


@functools.cache
def _phrases(number: int) -> _Phrases:
    kind, codes = KINDS[number], range(len(VERDICTS))
    names = _item_names(kind)
    return _Phrases(
        verdicts=tuple(verdicts(kind, code) for code in codes),
        clauses=tuple(tuple(clauses(a, code) for code in codes) for a in kind.aspects),
        talk=tuple(small_talk(kind, place) for place in range(4)),
        names=tuple((f"{{{n}}}", str(names[n])) for n in ("item", "this", "s_item")),
        orders=_orders(len(kind.aspects)),
    )


@functools.cache
def _orders(aspects: int) -> list[list[int]]:
    """Orders in which to mention aspects; the product's own tend to come first."""
    rng, own = random.Random(aspects), aspects - EVERYWHERE
    keys = [
        [rng.random() + 0.35 * (i >= own) for i in range(aspects)] for _ in range(512)
    ]
    return [sorted(range(aspects), key=key.__getitem__) for key in keys]


_COMPLEX = re.compile("[,.:?]")
_STRIDES = (31, 37, 41, 43)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mistype(word: str, random_: Callable[[], float]) -> str:
    """One slip of the finger, unless the result is a word of the shop."""
    place = 1 + int(random_() * (len(word) - 2))
    slip = random_()
    letter, before, after = word[place], word[:place], word[place + 1 :]
    if slip < 0.3:
        typed = before + after
    elif slip < 0.55:
        typed = before + after[0] + letter + after[1:]
    elif slip < 0.7:
        typed = before + letter + letter + after
    else:
        near = NEAR.get(letter, letter)
        typed = before + near[int(random_() * len(near))] + after
    return word if typed.lower() in _VOCABULARY else typed


class Writer:
    """Puts plans into words; one seed gives one sequence of reviews."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def write(
        self, kind: int, style: int, opening: int, closing: int, aspects: Sequence[int]
    ) -> tuple[str, str]:
        """Word one review.

        Args:
          kind: index into ``KINDS``.
          style: index into ``STYLES``.
          opening: code 0-5 of the verdict at the start, or -1.
          closing: code of the verdict at the end, or -1.
          aspects: codes of the statements, then -1 to fill up.

        Returns:
          title (may be empty) and text.
        """
        random_ = self._random
        # No template twice in a row: each review walks through them by its own stride.
        self._turn, self._stride = int(random_() * 4096), _STRIDES[int(random_() * 4)]
        phrases = _phrases(kind)
        said = self._say(phrases, opening, closing, aspects)
        text = self._join(said, ends=closing >= 0)
        verdict = max(opening, closing) if min(opening, closing) < 0 else closing
        title = self._title(phrases, said, verdict)
        habit = STYLES[style]
        if habit != "plain" or random_() < 0.1:
            title, text = self._habit(habit, title), self._habit(habit, text)
        if random_() < (0.3 if habit in ("cheerful", "phone") else 0.04):
            faces = FACES[verdict if verdict >= 0 else aspects[0]]
            face = faces[int(random_() * len(faces))]
            text = f"{text} {face * (1 + int(random_() * random_() * 3.4))}"
        return title, text

    def _pick(self, cell: Cell) -> str:
        options = cell[self._turn % len(cell)]
        self._turn += self._stride
        return options[int(self._random() * len(options))]

    def _say(
        self, phrases: _Phrases, opening: int, closing: int, aspects: Sequence[int]
    ) -> list[tuple[str, int]]:
        """What is said, in order: (wording, code), with code -1 for small talk."""
        random_, pick, said = self._random, self._pick, []
        count = aspects.index(-1) if -1 in aspects else len(aspects)
        start, middle, end, _ = phrases.talk
        if random_() < (0.5 if count > 1 else 0.2):
            said.append((pick(start), -1))
        if opening >= 0:
            first = int(random_() * 1.6)
            said.insert(first, (pick(phrases.verdicts[opening]), opening))
        order = phrases.orders[int(random_() * len(phrases.orders))]
        talkative = 0.4 * random_() ** 2
        for place, code in enumerate(aspects[:count]):
            wording = pick(phrases.clauses[order[place]][code])
            if "{" in wording:
                for name, value in phrases.names:
                    wording = wording.replace(name, value)
            said.append((wording, code))
            if random_() < talkative:
                said.append((pick(middle), -1))
        if random_() < 0.08:
            said.append((pick(end), -1))
        if closing >= 0:
            said.append((pick(phrases.verdicts[closing]), closing))
        if random_() < (0.15 if count > 1 else 0.08):
            said.append((pick(end), -1))
        return said

    def _join(self, said: list[tuple[str, int]], ends: bool) -> str:
        """Make sentences; ``ends``: the last statement is a verdict on the whole."""
        random_, before, run = self._random, -1, False
        last = max(place for place, (_, code) in enumerate(said) if code >= 0)
        text = ""
        for place, (wording, code) in enumerate(said):
            if code < 0 or before < 0:
                stop = "" if not text or text[-1] in ".?!)" else "."
                text += f"{stop} {_capital(wording)}" if text else _capital(wording)
                before, run = code, False
                continue
            options = SAME if (code < 3) == (before < 3) else TO_GOOD
            if ends and place == last:
                options = ENDING
            elif options is TO_GOOD and code < 3:
                options = TO_BAD
            joiner = options[int(random_() * len(options))]
            runs = joiner[0] in ",;"
            if runs and (run or _COMPLEX.search(said[place - 1][0] + wording)):
                joiner, runs = ". ", False
            starts = joiner in (". ", "! ")
            if text[-1] == "?":
                joiner = joiner.lstrip(".,;!")
            text += joiner + (_capital(wording) if starts else wording)
            before, run = code, runs
        if text[-1] not in ".?!)":
            text += "!" if random_() < (0.35 if before in (0, 5) else 0.07) else "."
        return text

    def _title(
        self, phrases: _Phrases, said: list[tuple[str, int]], verdict: int
    ) -> str:
        """A title repeats the plan: the verdict in other words, or a statement."""
        chance = self._random()
        if chance < 0.04:
            return ""
        if chance < 0.3:
            return _capital(self._pick(phrases.talk[3]))
        if verdict >= 0:
            return _capital(self._pick(phrases.verdicts[verdict]))
        return _capital(next(wording for wording, code in said if code >= 0))

    def _habit(self, habit: str, text: str) -> str:
        random_ = self._random
        if habit == "lower case":
            text = text.lower()
        elif habit == "capitals":
            text = text.upper()
        elif habit == "cheerful":
            text = text.replace(". ", "! ", 1 + int(random_() * 3))
        elif habit == "phone":
            text = text.replace(" and ", " & ").replace(" you ", " u ")
        if habit in ("careless", "phone", "lower case"):
            if random_() < 0.5:
                text = text.replace("'", "")
            if random_() < 0.5:
                text = text.rstrip(".")
        if habit in ("plain", "careless"):
            text = self._slips(text, 1 if habit == "plain" else 3)
        return text

    def _slips(self, text: str, most: int) -> str:
        words = text.split(" ")
        for _ in range(1 + int(self._random() * most)):
            place = int(self._random() * len(words))
            if len(words[place]) > 4 and words[place].isalpha():
                words[place] = _mistype(words[place], self._random)
        return " ".join(words)
