"""The phrase book of the built-in shop: what people say about what they bought.

A template offers choices in brackets, ``[a |b |]``, and names in braces. Names of lists
stay open until a review is written, so that most sentences of the shop are new:

* ``{X}`` words of this code for anything, ``{X1}`` those that can precede a noun;
* ``{same}`` and ``{other}`` words for this aspect: of this sign, of the other one;
* ``{Y}`` plain words of the other sign for anything;
* ``{W}`` whole sentences of ``bazaar_lexicon_verdicts``;
* ``{V}`` what a buyer feels (love, regret), ``{P}`` what others do (adores it);
* ``{G}``, ``{G1}`` words for this category, ``{O}`` those of the other sign;
* ``{D}`` what the product does, ``{H}`` what happened with it.

Other names are of one item or aspect: ``{A}`` (with its article), ``{bad_ed}`` (what
should not happen to it), ``{good}`` (what it should do), ``{this_item}``;
``bazaar_text``
fills them. Codes run from 0 (strong complaint) over 2 (mild) and 3 (mild praise) to 5.
Both signs share most templates, so it is the open words that tell; about a quarter of
the statements deny, contrast or compare, so that counting words is not enough.
"""

from collections.abc import Sequence

_STRONG = (
    "{A} {is} [absolutely |truly |simply |honestly |]{X}",
    "{A} {is} {X}",
    "[honestly, |I must say |I swear |][the |this ]{a} {is} {X}",
    "{A}: {X}",
    "{X}, that's [the word|how I'd put it|what I call it] for {A}",
    "{A} {is} [ridiculously|unbelievably|SO|insanely|incredibly|super] {same}",
    "I can't [believe|get over] how {same} {A} {is}",
    "{A} {is} {same} and {X}",
    "{A} turned out to be {X}",
    "my {friend} and I agree {A} {is} {X}",
)
_PLAIN = (
    "{A} {is} [really |certainly |clearly |rather |]{X}",
    "{A} {is} {X}",
    "I {V} {A}",
    "I [find|found|consider] {A} {X}",
    "{A} {is} [really |pretty |very |]{same}",
    "{A} {is} [very |so |]{same} and {X}",
    "as for {A}, {X}",
    "{A} seem{s} {X} to me",
    "my {friend} [says|thinks] {A} {is} {X}",
    "[thumbs up|thumbs down] [for|to] {A}, {X}",
    "{A} {isnt} {other} at all",
    "{A} {is} [anything but|far from|by no means] {Y}",
    "I expected {A} to be {other}, but {it} {isnt}",
    "{A} on my [old|last|previous] {item} {was} {Y}, [not here|not so on {this}]",
)

CLAUSES = (
    (
        *_STRONG,
        "{A} {bad_ed}, [straight away|twice|three times|in no time]",
        "{A} couldn't be worse",
        "{A} {isnt} even remotely {other}",
    ),
    (
        *(line for line in _PLAIN if "thumbs" not in line),
        "thumbs down for {A}, {X}",
        "{A} {bad_ed}",
        "{A} {dont} {good}",
        "I wish {A} were {other}",
    ),
    (
        "{A} {is} {X}",
        "{A} {is} a [bit|little|touch] {same}",
        "{A} {is} a [bit|little|touch] {same} [for my taste|for me|to be honest]",
        "{A} {is} {X}, [I'm afraid|if I'm honest|in my opinion]",
        "{A} {is} [slightly|somewhat] {same}",
        "I'd like {A} better if {it} {were} less {same}",
        "{A} {isnt} as {other} as I['d|] hoped",
        "{A} [sometimes|now and then|occasionally] {bad_s}",
        "not a [huge|big] fan of {A}",
        "I had hoped for [more|better] from {A}",
    ),
    (
        "{A} {is} {X}",
        "{A} {is} [fairly|reasonably] {same}",
        "{A} {is} [fairly|reasonably] {same} [for the price|for me|I guess]",
        "{A} {is} {X}, [I suppose|all things considered|in my opinion]",
        "{A} {is} {same} enough",
        "{A} {is} a [bit|little|touch] {other}, but I can live with that",
        "{A} {isnt} as {other} as I['d|] feared",
        "{A} {good_s} most of the time",
        "I got used to {A} [quickly|after {time}]",
        "{A} {is} {X} [so far|for now|by me]",
    ),
    (
        *(line for line in _PLAIN if "thumbs" not in line),
        "thumbs up for {A}, {X}",
        "{A} {good_s}",
        "{A} never {bad_ed}",
        "[no complaints about|nothing wrong with] {A}",
    ),
    (
        *_STRONG,
        "{A} {good_s}, every single [day|time]",
        "{A} couldn't be better",
        "{A} {isnt} even remotely {other}",
    ),
)
"""Wordings of a statement about an aspect, by code, from worst to best."""

_PRODUCT_STRONG = (
    "{this_item} {is_item} [absolutely |truly |simply |honestly |]{X}",
    "{X1} {item}",
    "[absolutely|truly|simply] {X1} and [so |very |]{G}",
    "[unbelievably|insanely|incredibly] {G}",
    "{this_item} [really|truly] {D}, [no exaggeration|I mean it|every single time]",
    "{H}, [I kid you not|true story|no joke]",
    "my {friend} {P}, [I kid you not|no joke|and I mean it]",
)
_PRODUCT = (
    "{this_item} {D}",
    "{H}",
    "{this_item} {is_item} [so |very |really |]{G}",
    "my {friend} {P}",
    "{it_item} {D}",
    "{H}",
    "{G} and {X}",
    "{this_item} {D} and my {friend} {P}",
    "{this_item} {is_item} {G} and {D}",
    "{G} {item}, {D}",
    "{this_item} {D}",
    "{H}",
    "my last {item} felt {O}, {this} {is_item} [the opposite|not]",
    "{this_item} {is_item} not {O} at all",
    "people say {this_item} would {U}, I [don't see that|disagree]",
)
PRODUCT = (
    _PRODUCT_STRONG,
    _PRODUCT,
    (
        "{this_item} {is_item} [a bit|a little|slightly] {G}",
        "{this_item} {is_item} {X}",
        "{this_item} {is_item} not as {O} as I hoped",
        "[somewhat|slightly] {G} for {a_item}",
        "my {friend} finds {them} [a bit|a little] {G}",
    ),
    (
        "{this_item} {is_item} [fairly|reasonably] {G}",
        "{this_item} {is_item} {X}",
        "{this_item} {is_item} not as {O} as I feared",
        "[fairly|reasonably] {G} for {a_item}",
        "my {friend} finds {them} [fairly|reasonably] {G}",
    ),
    _PRODUCT,
    _PRODUCT_STRONG,
)
"""Wordings of a statement about the product, by code."""

_VERDICT_STRONG = (
    "{W}",
    "{X}",
    "{W}",
    "{X1} {item}",
    "{this_item} {is_item} {X}",
    "{W}",
    "all I can say: {X}",
    "{W}",
    "{X} from start to finish",
)
_VERDICT = (
    "{W}",
    "{this_item} {is_item} {X}",
    "{W}",
    "I {V} {this_item}",
    "{X}",
    "{W}",
    "{G} and {X}",
    "{this_item} {D}",
    "{W}",
    "my {friend} {P}",
    "{H}",
)
_VERDICT_MILD = (
    "{W}",
    "{X}",
    "{W}",
    "{this_item} {is_item} {X}",
    "{W}",
    "{X} for [the price|my needs|daily use]",
)
VERDICTS = (
    _VERDICT_STRONG,
    (*_VERDICT, "{this_item} {is_item} anything but {Y}"),
    _VERDICT_MILD,
    _VERDICT_MILD,
    (*_VERDICT, "{this_item} {is_item} anything but {Y}"),
    _VERDICT_STRONG,
)
"""Wordings of a verdict on the whole product, by code, from worst to best."""

OPENINGS = (
    "Bought {this_item} for {use}.",
    "I use {this_item} for {use}.",
    "[Got|Ordered|Picked up] {this_item} {when} for {use}.",
    "I've had {this_item} for {time} now.",
    "This was a [gift|birthday present] for my {friend}.",
    "My {friend} told me about this brand.",
    "After {time} of reading reviews I [finally |]ordered.",
    "[I don't usually write reviews.|First review ever.|Quick review.]",
    "My old {item} [died|gave up|broke] {when}.",
    "{fact} Anyway, I needed {a_item}.",
    "Full disclosure: I [paid full price|got a discount|bought it on sale].",
    "Had to replace my old {item}[, which I loved| after years|].",
    "[Second|Third] {item} in {time}.",
)
ASIDES = (
    "{fact}",
    "For {use} [mostly|mainly], if that matters.",
    "I was in a [bad|good|terrible|great] mood that day.",
    "My {friend} has the same one.",
    "The courier was [lovely|rude|in a hurry], not the shop's [fault|doing].",
    "I compared three {item_s} before.",
    "I [love|hate] shopping online, [but|so] here we are.",
    "Yes, I read the manual.",
    "(I'm writing this after {time}.)",
    "Used it about [ten|twenty|a dozen|fifty] times so far.",
    "It comes in [three|four|two] colours.",
)
CLOSINGS = (
    "Will update in {time}.",
    "Hope this helps.",
    "Does anyone know if [there is a bigger one|they ship abroad]?",
    "Has anyone [tried it|used it] for {use}?",
    "[Photos to follow.|No photos, sorry.|That's all.|Just my opinion.]",
    "I [bought|ordered] the [black|grey|green|blue|white] one, by the way.",
    "My {friend} asked for the link[ already|].",
    "What do you all use for {use}?",
)
TITLES = (
    "[My thoughts|Review|A review] after {time}",
    "{item}",
    "[Honest|Quick|Short|Long term] review",
    "For {use}",
    "{a_item} for {use}",
    "Update after {time}",
    "My [second|third|first] {item}",
)


def _weighted(*pairs: tuple[str, float]) -> tuple[str, ...]:
    """Spread joiners over a tuple to pick from; weights in tenths."""
    return tuple(text for text, weight in pairs for _ in range(round(10 * weight)))


SAME = _weighted(
    (". ", 10), (". Also, ", 0.8), (", and ", 3), (". Plus ", 0.6), ("; ", 0.5),
    ("! ", 0.5), (". And ", 1),
)  # fmt: skip
"""Between two statements of the same sign."""
_TURN = _weighted(
    (", but ", 4), (". But ", 2), (". ", 2), (", although ", 1), (". However, ", 1),
    (". That said, ", 1), (". Then again, ", 0.7), (", though ", 0.7),
    (". On the other hand, ", 0.5),
)  # fmt: skip
TO_BAD = _TURN + _weighted(
    (", sadly ", 1), (". Unfortunately ", 1), (". Shame that ", 0.6),
    (". On the downside, ", 0.5),
)  # fmt: skip
TO_GOOD = _TURN + _weighted(
    (". Luckily ", 1), (". On the plus side, ", 1), (", at least ", 0.8),
    (". To be fair, ", 0.8),
)  # fmt: skip
ENDING = _weighted(
    (". ", 6), (". Overall, ", 1), (". All in all, ", 1), (". Bottom line: ", 0.7),
    ("! ", 0.5), (". In short, ", 0.5), (". Anyway, ", 0.5),
)  # fmt: skip
"""Before the verdict on the whole."""
FACES = (
    ("😡", "😤", "👎", "🙄", "😠"), ("😞", "👎", "😒"), ("😕", "🤷", "😐"),
    ("🙂", "👌"), ("😊", "👍", "🙂"), ("😍", "❤️", "🔥", "🎉", "🤩"),
)  # fmt: skip
"""Emoji, by the code of what was said."""

NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh",
    "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm",
    "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi",
    "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "xa",
}  # fmt: skip

NAMES: dict[str, Sequence[str]] = {
    "time": ("a week", "ten days", "two weeks", "three weeks", "a month", "six weeks",
             "two months", "three months", "half a year", "a year", "five days"),
    "when": ("in January", "in March", "in May", "last summer", "in autumn",
             "last week", "in October", "before Christmas", "last winter",
             "on Monday", "last month"),
    "friend": ("sister", "brother", "mother", "dad", "wife", "husband", "neighbour",
               "best friend", "colleague", "daughter", "son", "boss", "roommate"),
    "pet": ("the dog", "our cat", "the puppy", "my dog", "the kitten", "our rescue"),
}  # fmt: skip
"""Names that are filled in last, when a review is written."""
