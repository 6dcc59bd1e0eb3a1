"""How the customers of the built-in shop write: a plan in -> title and text out.

Each statement of a plan becomes one clause of its code from ``bazaar_phrases``; between
the clauses stand small talk and joiners that carry no news. No clause belongs to two
codes, so the plan can be read back from the text. A slip of the finger never turns one
known word into another.
"""

import functools
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reviewintent_jax.data.bazaar_goods import EVERYWHERE, KINDS
from reviewintent_jax.data.bazaar_phrases import (
    ENDING,
    FACES,
    NAMES,
    NEAR,
    SAME,
    TO_BAD,
    TO_GOOD,
    VERDICTS,
)
from reviewintent_jax.data.bazaar_wording import (
    VOCABULARY,
    ZIPF_SHIFT,
    Cell,
    Words,
    clauses,
    item_names,
    small_talk,
    statements,
    verdicts,
)

STYLES = ("plain", "careless", "lower case", "cheerful", "capitals", "phone")
STYLE_SHARES = (0.46, 0.2, 0.1, 0.12, 0.02, 0.1)
"""How customers write, and what share of them: a habit, whatever they think."""

ABOUT_PRODUCT = 0.5
"""Share of the statements that are about the product, not about one aspect."""


class _Phrases(NamedTuple):
    """All wordings for one kind of product.

    Attributes:
      verdicts: by code.
      statements: about the product, by code.
      clauses: by aspect, then by code.
      talk: by place.
      names: what is still open in the clauses.
      orders: orders in which to mention the aspects.
    """

    verdicts: tuple[Cell, ...]
    statements: tuple[Cell, ...]
    clauses: tuple[tuple[Cell, ...], ...]
    talk: tuple[Cell, ...]
    names: Mapping[str, Words]
    orders: Sequence[Sequence[int]]


@functools.cache
def _phrases(number: int) -> _Phrases:
    kind, codes = KINDS[number], range(len(VERDICTS))
    names = item_names(kind)
    return _Phrases(
        verdicts=tuple(verdicts(kind, code) for code in codes),
        statements=tuple(statements(kind, code) for code in codes),
        clauses=tuple(tuple(clauses(a, code) for code in codes) for a in kind.aspects),
        talk=tuple(small_talk(kind, place) for place in range(4)),
        names=NAMES | {n: (v,) if isinstance(v, str) else v for n, v in names.items()},
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


TITLE_REWORDS = 0.7
"""Titles below this draw word a verdict anew; those above repeat the text's words."""

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
    return word if typed.lower() in VOCABULARY else typed


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
        title = self._title(phrases, said, opening, closing)
        habit = STYLES[style]
        if habit != "plain" or random_() < 0.1:
            title, text = self._habit(habit, title), self._habit(habit, text)
        if random_() < (0.3 if habit in ("cheerful", "phone") else 0.04):
            faces = FACES[verdict if verdict >= 0 else aspects[0]]
            face = faces[int(random_() * len(faces))]
            text = f"{text} {face * (1 + int(random_() * random_() * 3.4))}"
        return title, text

    def _pick(self, cell: Cell, names: Mapping[str, Words]) -> str:
        line, random_ = cell[self._turn % len(cell)], self._random
        self._turn += self._stride
        wording = line.form
        if line.places:
            wording %= tuple(
                [
                    words[int(ZIPF_SHIFT * (base ** random_() - 1))]
                    for words, base in line.places
                ]
            )
        while "{" in wording:
            before, _, rest = wording.partition("{")
            name, _, after = rest.partition("}")
            words = names[name]
            wording = before + words[int(random_() * len(words))] + after
        return wording

    def _say(
        self, phrases: _Phrases, opening: int, closing: int, aspects: Sequence[int]
    ) -> list[tuple[str, int]]:
        """What is said, in order: (wording, code), with code -1 for small talk."""
        random_, said = self._random, []
        pick = functools.partial(self._pick, names=phrases.names)
        count = aspects.index(-1) if -1 in aspects else len(aspects)
        start, middle, end, _ = phrases.talk
        if random_() < (0.42 if count > 1 else 0.2):
            said.append((pick(start), -1))
        if opening >= 0:
            first = int(random_() * 1.6)
            said.insert(first, (pick(phrases.verdicts[opening]), opening))
        order = phrases.orders[int(random_() * len(phrases.orders))]
        talkative = 0.25 * random_() ** 2
        for place, code in enumerate(aspects[:count]):
            about_product = random_() < ABOUT_PRODUCT
            part = (
                phrases.statements if about_product else phrases.clauses[order[place]]
            )
            said.append((pick(part[code]), code))
            if random_() < talkative:
                said.append((pick(middle), -1))
        if random_() < 0.08:
            said.append((pick(end), -1))
        if closing >= 0:
            said.append((pick(phrases.verdicts[closing]), closing))
        if random_() < (0.12 if count > 1 else 0.08):
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
        self, phrases: _Phrases, said: list[tuple[str, int]], opening: int, closing: int
    ) -> str:
        """A title repeats the plan: a verdict, perhaps reworded, or a statement."""
        chance, verdict = self._random(), closing if closing >= 0 else opening
        if chance < 0.04:
            return ""
        if chance < 0.3:
            return _capital(self._pick(phrases.talk[3], phrases.names))
        if verdict >= 0 and chance < TITLE_REWORDS:
            return _capital(self._pick(phrases.verdicts[verdict], phrases.names))
        coded = [wording for wording, code in said if code >= 0]
        return _capital(coded[-1 if closing >= 0 else 0])

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
