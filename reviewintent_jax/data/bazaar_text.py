"""How the customers of the built-in shop write: a plan in -> title and text out.

A template offers choices in brackets, ``[a|b|]``, and names in braces, ``{A}``. Each
statement of a plan becomes one clause of its code, see ``bazaar_phrases``;
between the clauses stand small talk and joiners that carry no news. No clause belongs to
two codes, so the plan can be read back from the text. A typo is never allowed to turn
one known word into another.
"""

import random
import re
import zlib
from collections.abc import Callable, Sequence

from reviewintent_jax.data.bazaar_goods import EVERYWHERE, KINDS, Aspect, Kind
from reviewintent_jax.data.bazaar_phrases import (
    ASIDES,
    CLAUSES,
    CLOSINGS,
    FACES,
    GOOD,
    NAMES,
    NEAR,
    OPENINGS,
    PARTS_ONLY,
    POOR,
    SAME,
    TITLES,
    TURN,
    TURN_DOWN,
    TURN_UP,
    VERDICTS,
)

STYLES = ("plain", "careless", "lower case", "cheerful", "capitals", "phone")
STYLE_SHARES = (0.46, 0.2, 0.1, 0.12, 0.02, 0.1)
"""How customers write, and what share of them: a habit, whatever they think."""

CELL = 48
"""Wordings kept for each kind of product, aspect and code."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{(\w+)\}")
_START = re.compile(r"([.?!] )([a-z])")


def _words() -> frozenset[str]:
    """All words the shop knows, so that no typo lands on one of them."""
    text = [*CLAUSES, *PARTS_ONLY.values(), *VERDICTS, OPENINGS, ASIDES, CLOSINGS]
    lists = [line for lines in [*text, *NAMES.values(), GOOD, POOR] for line in lines]
    for kind in KINDS:
        lists += [kind.noun, *kind.uses, *kind.facts]
        for aspect in kind.aspects:
            lists += [aspect.name, *aspect.praise, *aspect.complaint, *aspect.good]
            lists += [word for event in aspect.bad for word in event]
    return frozenset(re.findall(r"[a-z']+", " ".join(lists).lower()))


_VOCABULARY = _words()


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


def _fill(template: str, names: dict[str, str], rng: random.Random) -> str:
    """Resolve choices and names: "[very|] {pos}" -> "very light"."""
    found = 1
    while found:
        template, found = _CHOICE.subn(lambda m: rng.choice(m[1].split("|")), template)
    while "{" in template:
        template = _NAME.sub(lambda m: names[m[1]], template)
    template = " ".join(template.split())
    return _START.sub(lambda m: m[1] + m[2].upper(), template)


def _item_names(kind: Kind, rng: random.Random) -> dict[str, str]:
    noun, many = kind.noun, kind.plural
    article = "an" if noun[0] in "aeiou" else "a"
    this = ["this one", f"this {noun}", f"this {noun}", f"the {noun}"]
    these = ["these", f"these {noun}", f"these {noun}", f"the {noun}"]
    names = {name: rng.choice(options) for name, options in NAMES.items()}
    return names | {
        "item": noun,
        "item_s": noun if many else f"{noun}s",
        "a_item": noun if many else f"{article} {noun}",
        "this_item": rng.choice(these if many else this),
        "this": "these" if many else "this one",
        "it_item": "they" if many else "it",
        "them": "them" if many else "it",
        "is_item": "are" if many else "is",
        "s_item": "" if many else "s",
        "use": rng.choice(kind.uses),
        "fact": rng.choice(kind.facts),
    }


def _aspect_names(aspect: Aspect, rng: random.Random) -> dict[str, str]:
    many, now = aspect.plural, aspect.part or rng.random() < 0.5
    praise, complaint = (
        rng.sample(own if rng.random() < 0.75 or len(own) < 2 else other, 2)
        for own, other in ((aspect.praise, GOOD), (aspect.complaint, POOR))
    )
    base, past, participle = rng.choice(aspect.bad)
    good = rng.choice(aspect.good)
    verb = ("are" if many else "is") if now else ("were" if many else "was")
    return {
        "A": f"the {aspect.name}",
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
    }


def _wordings(
    name: str, templates: Sequence[str], kind: Kind, aspect: Aspect | None, size: int
) -> tuple[str, ...]:
    """Up to ``size`` different fillings of the templates, always the same ones."""
    rng = random.Random(zlib.crc32(name.encode()))
    found: dict[str, None] = {}
    for attempt in range(2 * size):
        names = _item_names(kind, rng)
        if aspect:
            names |= _aspect_names(aspect, rng)
        template = templates[attempt % len(templates)]
        found[_fill(template, names, rng)] = None
        if len(found) == size:
            break
    return tuple(found)


_cells: dict[tuple[int, int, int], tuple[str, ...]] = {}


def clauses(kind: int, aspect: int, code: int) -> tuple[str, ...]:
    """Wordings of one code about one aspect of one kind of product; made once."""
    key = (kind, aspect, code)
    if key not in _cells:
        of_kind = KINDS[kind]
        of_aspect = of_kind.aspects[aspect]
        templates = CLAUSES[code]
        if of_aspect.part:
            templates += PARTS_ONLY.get(code, ())
        _cells[key] = _wordings(repr(key), templates, of_kind, of_aspect, CELL)
    return _cells[key]


_VERDICT, _TALK = -1, -2


def verdicts(kind: int, code: int) -> tuple[str, ...]:
    """Wordings of a verdict of one code on one kind of product; made once."""
    key = (kind, _VERDICT, code)
    if key not in _cells:
        _cells[key] = _wordings(repr(key), VERDICTS[code], KINDS[kind], None, 4 * CELL)
    return _cells[key]


def _talk(kind: int, part: int) -> tuple[str, ...]:
    key = (kind, _TALK, part)
    if key not in _cells:
        lines = (OPENINGS, ASIDES, CLOSINGS, TITLES)[part]
        _cells[key] = _wordings(repr(key), lines, KINDS[kind], None, 4 * CELL)
    return _cells[key]


def _joiners(pairs: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """Spread weighted joiners over a tuple to pick from: weights in tenths."""
    return tuple(text for text, weight in pairs for _ in range(round(10 * weight)))


_SAME_SIGN = _joiners(SAME)
_TO_BAD, _TO_GOOD = _joiners(TURN + TURN_DOWN), _joiners(TURN + TURN_UP)


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
        said = self._say(kind, opening, closing, aspects)
        text = self._join(said)
        overall = closing if closing >= 0 else opening if opening >= 0 else aspects[0]
        title = self._title(kind, said, overall)
        habit = STYLES[style]
        if habit != "plain" or random_() < 0.1:
            title, text = self._habit(habit, title), self._habit(habit, text)
        if random_() < (0.3 if habit in ("cheerful", "phone") else 0.04):
            faces = FACES[overall]
            face = faces[int(random_() * len(faces))]
            text = f"{text} {face * (1 + int(random_() * random_() * 3.4))}"
        return title, text

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(self._random() * len(options))]

    def _say(
        self, kind: int, opening: int, closing: int, aspects: Sequence[int]
    ) -> list[tuple[str, int]]:
        """What is said, in order: (wording, code), with code -1 for small talk."""
        random_, pick = self._random, self._pick
        said = []
        count = aspects.index(-1) if -1 in aspects else len(aspects)
        if random_() < (0.55 if count > 1 else 0.25):
            said.append((pick(_talk(kind, 0)), -1))
        if opening >= 0:
            said.insert(int(random_() * 1.6), (pick(verdicts(kind, opening)), opening))
        order = _ORDERS[len(KINDS[kind].aspects)][int(random_() * 512)]
        for place, code in enumerate(aspects[:count]):
            said.append((pick(clauses(kind, order[place], code)), code))
            if random_() < 0.12:
                said.append((pick(_talk(kind, 1)), -1))
        if closing >= 0:
            said.append((pick(verdicts(kind, closing)), closing))
        if random_() < (0.2 if count > 1 else 0.1):
            said.append((pick(_talk(kind, 2)), -1))
        return said

    def _join(self, said: list[tuple[str, int]]) -> str:
        random_, parts, before, run = self._random, [], -1, 0
        for wording, code in said:
            if not parts:
                parts.append(_capital(wording))
            elif code < 0 or before < 0:
                stop = "" if parts[-1][-1] in ".?!)" else "."
                parts.append(f"{stop} {_capital(wording)}")
            else:
                if (code < 3) == (before < 3):
                    joiner = self._pick(_SAME_SIGN)
                else:
                    joiner = self._pick(_TO_BAD if code < 3 else _TO_GOOD)
                if run and joiner[0] == ",":
                    joiner = ". "
                run = joiner[0] == ","
                starts = joiner in (". ", "! ")
                parts.append(joiner + (_capital(wording) if starts else wording))
            before = code
        if parts[-1][-1] not in ".?!)":
            strong = before in (0, 5)
            parts.append("!" if random_() < (0.35 if strong else 0.07) else ".")
        return "".join(parts)

    def _title(self, kind: int, said: list[tuple[str, int]], overall: int) -> str:
        chance = self._random()
        if chance < 0.04:
            return ""
        if chance < 0.35:
            return _capital(self._pick(_talk(kind, 3)))
        codes = [code for _, code in said]
        if overall >= 0 and any(
            wording in verdicts(kind, code) for wording, code in said
        ):
            return _capital(self._pick(verdicts(kind, overall)))
        return _capital(said[codes.index(overall)][0])

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


def _orders(aspects: int) -> list[list[int]]:
    """Orders in which to mention aspects; the product's own tend to come first."""
    rng, own = random.Random(aspects), aspects - EVERYWHERE
    keys = [
        [rng.random() + 0.35 * (i >= own) for i in range(aspects)] for _ in range(512)
    ]
    return [sorted(range(aspects), key=key.__getitem__) for key in keys]


_ORDERS = {len(kind.aspects): _orders(len(kind.aspects)) for kind in KINDS}
