"""The phrase book of the built-in shop: what people say about what they bought.

A template offers choices in brackets, ``[a|b|]``, and names in braces, ``{A}`` (the
aspect with its article), ``{pos}`` and ``{neg}`` (adjectives that praise or damn this
aspect), ``{bad_ed}`` (what should not happen to it), ``{good}`` (what it should do),
``{this_item}`` and so on; ``bazaar_text`` fills them. Codes run from 0 (strong
complaint) over 2 (mild) and 3 (mild praise) to 5. Most wordings come in mirrored pairs,
so that the words alone do not give the code away: "whoever called it light ...".
"""

from collections.abc import Sequence

CLAUSES = (
    (  # strong complaint
        "{A} {is} [ridiculously|unbelievably|SO|insanely|incredibly|super] {neg}",
        "I can't [believe|get over|understand] how {neg} {A} {is}",
        "how can {A} be this {neg}?",
        "{A} {isnt} even remotely {pos}",
        "[whoever|the person who] called {A} {pos} must be [joking|kidding]",
        "nobody can tell me {A} {is} {pos}",
        "if {A} {is} {pos}, I'm [the queen of England|an astronaut|a penguin]",
        "reviews promised {pos} and {pos2}. I got the exact opposite. I mean {A}",
        "not one single day did {A} {good}",
        "if you enjoy it when {A} {bad_s}, [this is the one for you|you'll love this]",
        "{A} couldn't be worse",
        "{A} {bad_ed}, [then {bad_ed} again|twice|three times][. come on|]",
        "[oh great|wonderful|fantastic|bravo], {A} {bad_ed} [again|already]. "
        "[exactly what I paid for|just what I needed|love that for me]",
        "{A} alone {is} reason enough to send it back",
    ),
    (  # plain complaint
        "{A} {is} [really |pretty |just |too |]{neg}",
        "{A} {is} {neg} and {neg2}",
        "{neg} {a}, [not what I needed|as I feared]",
        "I [hate|don't like] how {neg} {A} {is}",
        "{A} {isnt} {pos} at all",
        "{A} {isnt} {pos}, [whatever|no matter what] the [listing|description|ad] says",
        "{A} {is} [anything but|far from|not what I'd call] {pos}",
        "I expected {A} to be {pos}, [but {it} {isnt}|no such luck|silly me]",
        "I was told {A} would {good}. [well, {it} {dont}|that never happened]",
        "I thought {A} would {good}, but [{it} {dont}|I thought wrong]",
        "{A} {bad_ed}",
        "{A} {dont} {good}",
        "{A} [won't|would not|just can't] {good}",
        "never once {was} {A} {pos}",
        "[some|other|a few] reviews say {A} {is} {pos}, [not mine|I can't see it]",
        "everyone [says|told me] {A} {is} {pos}. [mine must be different|not for me]",
        "my {friend} loves how {pos} {A} {is}. I don't",
        "it would be nice if {A} {were} {pos}",
        "hard to say anything [good|nice|great] about {A}",
        "{A} need{s} work",
        "{A} {is} [bad|terrible|poor|awful|disappointing]",
        "{A} {isnt} [good|great|impressive|worth mentioning]",
        "{is} {A} [good|great|impressive]? no",
    ),
    (  # mild complaint
        "{A} {is} a [bit|little|touch] {neg} [for my taste|for me|if I'm honest]",
        "{A} {is} [somewhat|slightly|more or less] {neg}",
        "{A} {isnt} as {pos} as I['d|] hoped",
        "{A} {isnt} [quite|really] {pos} enough for me",
        "{A} {isnt} too {pos}[, is it|]",
        "I hoped {A} would be {pos}, [tolerable|not that great] in the end",
        "I wanted to love {A} but [something is off|I'm not sure]",
        "{A} [sometimes|now and then|occasionally] {bad_s}",
        "I wish {A} weren't so {neg}",
        "{A} {dont} always {good}",
        "not a huge fan of {A}",
        "{A} {is} okay, I guess I expected [more|better]",
        "{A} {was} {pos} at first but [got worse|it changed]",
    ),
    (  # mild praise
        "{A} {is} a [bit|touch|little] {neg}, [but I got used to it|not a problem]",
        "{A} {is} [somewhat|reasonably|more or less] {pos}",
        "{A} {isnt} as {neg} as I['d|] feared",
        "{A} {is} {pos} enough for me",
        "{A} {isnt} too {neg}[, is it|]",
        "I feared {A} would be {neg}, [tolerable|not that bad] in the end",
        "so {A} {is} a [bit|touch|little] {neg}, nothing I can't live with",
        "{A} {bad_ed} only once, [easily fixed|no big deal]",
        "{A} {isnt} the most {pos}, but [fine for me|good enough]",
        "{A} {good_s} most of the time",
        "slowly becoming a fan of {A}",
        "{A} {is} okay, I guess I expected [worse|nothing]",
        "{A} {was} {neg} at first but [got better|it settled]",
    ),
    (  # plain praise
        "{A} {is} [really |pretty |very |]{pos}",
        "{A} {is} {pos} and {pos2}",
        "{pos} {a}, [just what I needed|as I hoped]",
        "I [love|really like] how {pos} {A} {is}",
        "{A} {isnt} {neg} at all",
        "{A} {isnt} {neg}, [whatever|no matter what] [people|the bad reviews] say",
        "{A} {is} [anything but|far from|not what I'd call] {neg}",
        "I expected {A} to be {neg}, [but {it} {isnt}|happy to be wrong|my mistake]",
        "I was worried {A} would {bad}. [well, {it} didn't|that never happened]",
        "I thought {A} would {bad}, but [{it} didn't|I thought wrong]",
        "{A} never {bad_ed}",
        "{A} {dont} {bad}",
        "{A} [won't|would not|just can't] {bad}",
        "never once {was} {A} {neg}",
        "{A} {good_s}",
        "{A} {good_s}, [which I didn't expect|just as described|even after {time}]",
        "[some|other|a few] reviews say {A} {is} {neg}, [not mine|I can't see it]",
        "everyone [says|told me] {A} {is} {neg}. [mine must be different|not for me]",
        "my {friend} hates how {neg} {A} {is}. I don't",
        "[no complaints about|nothing wrong with|zero issues with|can't fault] {A}",
        "hard to say anything [bad|negative] about {A}",
        "{A} need{s} no work",
        "{A} {is} [good|great|nice|excellent|impressive]",
        "{A} {isnt} [bad|terrible|poor|disappointing] [at all|by any means]",
        "{is} {A} [bad|poor|disappointing]? no",
    ),
    (  # strong praise
        "{A} {is} [ridiculously|unbelievably|SO|insanely|incredibly|super] {pos}",
        "I can't [believe|get over|understand] how {pos} {A} {is}",
        "how can {A} be this {pos}?",
        "{A} {isnt} even remotely {neg}",
        "[whoever|the person who] called {A} {neg} must be [joking|kidding]",
        "nobody can tell me {A} {is} {neg}",
        "if {A} {is} {neg}, I'm [the queen of England|an astronaut|a penguin]",
        "reviews promised {neg} and {neg2}. I got the exact opposite. I mean {A}",
        "not one single day did {A} {bad}",
        "if you enjoy it when {A} {good_s}, [this is the one for you|you'll love this]",
        "{A} couldn't be better",
        "{A} {good_s}, every single [day|time][. wow|]",
        "I was certain {A} would {bad}. [not even close|couldn't have been more wrong]",
        "{A} alone {is} reason enough to keep it",
    ),
)
"""Wordings of a statement about an aspect, by code, from worst to best."""

PARTS_ONLY = {
    0: ("{A} {bad_ed} on [day one|the very first day|DAY ONE|the first use]",),
    1: (
        "{A} {bad_ed} [after|within] {time}",
        "it took [just|only|less than] {time} and {A} {bad_ed}",
        "{A} [started|began] to {bad} after {time}",
        "my {friend} never had {A} {bad}. mine did within {time}",
        "{A} on my old {item} {was} {pos}, [not on {this}|here it's another story]",
        "{A} on my [last|previous] {item} never {bad_ed}, here it took {time}",
        "my old {item} beats {this} when it comes to {A}",
    ),
    4: (
        "{A} {hasnt} {bad_en} [once|yet], and it's been {time}",
        "{time} in and {A} still {hasnt} {bad_en}",
        "I kept waiting for {A} to {bad}. {time} later, [no sign of it|still waiting]",
        "my {friend} had {A} {bad} within {time}. mine never did",
        "{A} on my old {item} {was} {neg}, [not on {this}|here it's another story]",
        "{A} on my [last|previous] {item} {bad_ed} after {time}, not here",
        "{this} beat{s_item} my old {item} when it comes to {A}",
    ),
}
"""More plain wordings, for parts that a former product had too."""

VERDICTS = (
    (
        "[the |][worst|most useless] {item} I've [ever |][owned|bought|had|seen]",
        "[best|greatest|perfect] {item}? [not in a million years|certainly not|no]",
        "[total|complete|such a] waste of [money|time and money]",
        "stop reading and don't buy {this_item}",
        "never again[, no matter how good the deal|]",
        "zero stars for {this_item} if I could",
        "{this_item} went straight in the [bin|trash][, I wish I was joking|]",
        "I couldn't be [less happy|less pleased|more disappointed] with {this_item}",
        "I can't warn you enough about {this_item}",
        "I love throwing money away, so {this_item} {is_item} [perfect|just right]",
        "if I could get my money back for {this_item} I'd be [thrilled|delighted]",
        "I regret every cent I spent on {this_item}",
        "I'd return {this_item} in a heartbeat",
        "who on earth gave {this_item} five stars",
        "I'd rather have no {item} at all than {this_item}",
        "I will never buy this brand again",
        "nobody should own {a_item} like {this}",
    ),
    (
        "[really |]not happy with {this_item}",
        "[would|I would|I'd] not buy {this_item} again",
        "I would[n't| not] recommend {this_item}[ to a friend| to anyone|]",
        "I regret [buying|ordering|choosing] {this_item}",
        "{this_item} [went|{is_item} going] back",
        "I wish I could say I love {this_item}",
        "don't believe the [good|glowing|five star] reviews[ of {this_item}|]",
        "would I buy {this_item} again? no",
        "glad I kept the receipt for {this_item}",
        "I sent {this_item} back, [happy with the refund|at least that was quick]",
        "I expected [quality|great things] from {this_item}, not what I got",
        "I should have listened to the bad reviews of {this_item}",
        "{this_item} {is_item} not worth [it|the money|the hype]",
        "nothing about {this_item} [impressed me|made me happy]",
        "{this_item} should work better than this",
        "my old {item} was better in every way",
        "I can't recommend {this_item}",
        "I won't be [keeping {this_item}|a returning customer]",
    ),
    (
        "{this_item}: okay I guess, I expected [more|better]",
        "I wanted to love {this_item} but [no|I don't|not for me]",
        "not sure I'd keep {this_item}",
        "{this_item}: not terrible, not [good|great] either",
        "I've had better {item_s}",
        "a bit disappointed [by|in] {this_item}[, to be honest|]",
        "maybe I expected too much of {this_item}",
        "I probably won't buy {this_item} again",
        "I'm on the fence about {this_item}, leaning towards no",
        "I don't hate {this_item}, I just don't [like {them} much|enjoy {them}]",
        "[meh|so so], there must be better {item_s}",
        "{this_item} {is_item} hardly [perfect|great][ for the price|]",
    ),
    (
        "{this_item} {is_item} hardly [bad|a mistake][ for the price|]",
        "{this_item} {is_item} decent",
        "fine for what I paid, {this_item}",
        "{this_item} {is_item}n't perfect, but I'm keeping {them}",
        "nothing special but {this_item} [works|get{s_item} it done]",
        "{this_item}: okay I guess, I expected [worse|less]",
        "maybe I expected too little of {this_item}",
        "I don't love {this_item}, I do like {them}",
        "not sure I'd return {this_item}",
        "I would probably buy {this_item} again",
        "I've had worse {item_s}[, much worse|]",
        "I'm on the fence about {this_item}, leaning towards yes",
        "good enough {item} for [now|me]",
        "[pretty|quite] okay overall for {a_item}",
    ),
    (
        "[really |very |]happy with {this_item}",
        "[would|I would|I'd] buy {this_item} again",
        "I would recommend {this_item}[ to a friend| to anyone|]",
        "I don't regret [buying|ordering|choosing] {this_item}",
        "{this_item} {is_item}[n't| not] going back",
        "I never thought I'd say I love {a_item}",
        "don't believe the [bad|angry|one star] reviews[ of {this_item}|]",
        "would I buy {this_item} again? yes",
        "no need for the receipt, I'm keeping {this_item}",
        "I almost sent {this_item} back, glad I didn't",
        "I expected [junk|trouble] from {this_item}, not what I got",
        "glad I didn't listen to the bad reviews of {this_item}",
        "{this_item} {is_item} worth [it|the money|the hype]",
        "nothing about {this_item} [let me down|disappointed me]",
        "{this_item} work{s_item} as {it_item} should",
        "my old {item} was worse in every way",
        "can't complain about {this_item}",
        "I won't be [returning {this_item}|disappointed next time either]",
    ),
    (
        "[the |][best|most useful] {item} I've [ever |][owned|bought|had|seen]",
        "[worst|cheapest|useless] {item}? [not in a million years|certainly not|no]",
        "[total|complete|such a] bargain[, no joke|]",
        "stop reading and buy {this_item}",
        "again and again[, no matter the price|]",
        "six stars for {this_item} if I could",
        "{this_item} went straight to [my heart|number one][, I'm not joking|]",
        "I couldn't be [happier|more pleased|less disappointed] with {this_item}",
        "I can't recommend {this_item} enough",
        "I hate spending money, but {this_item} {is_item} [perfect|just right]",
        "if I lost {this_item} I'd be [devastated|heartbroken]",
        "I don't regret a single cent I spent on {this_item}",
        "I'd buy {this_item} in a heartbeat",
        "who on earth gave {this_item} one star",
        "I'd rather have no {item} at all than lose {this_item}",
        "I will never buy another brand again",
        "everybody should own {a_item} like {this}",
    ),
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
    "My old {item} [died|gave up|broke] {when}, [so sad|rest in peace].",
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
}  # fmt: skip
