"""The phrase book of the built-in shop: what people say about what they bought.

A template offers choices in brackets, ``[a|b|]``, and names in braces, ``{A}`` (the
aspect with its article), ``{pos}`` and ``{neg}`` (adjectives that praise or damn this
aspect), ``{bad_ed}`` (what should not happen to it), ``{good}`` (what it should do),
``{this_item}`` and so on; ``bazaar_text`` fills them. Codes run from 0 (strong
complaint) over 2 (mild) and 3 (mild praise) to 5. Most plain wordings exist in mirrored
pairs, so that the words alone do not give the code away: "no better than ...".
"""

from collections.abc import Sequence

GOOD = ("great", "nice", "excellent", "good", "perfect", "impressive")
POOR = ("terrible", "bad", "poor", "awful", "disappointing", "useless")

CLAUSES = (
    (  # strong complaint
        "{A} {is} [ridiculously|unbelievably|SO|insanely|shockingly] {neg}",
        "I can't [believe|get over] how {neg} {A} {is}",
        "{A} {bad_ed}, [then {bad_ed} again|twice|three times][. unacceptable|. come on|]",
        "{A} couldn't be [worse|more {neg}]",
        "{A} {isnt} even remotely {pos}",
        "[whoever|the person who] called {A} {pos} must be [joking|kidding]",
        "I was promised {pos} and {pos2}. I got {neg} and {neg2}. yes, I mean {A}",
        "[oh great|wonderful|fantastic|bravo], {A} {bad_ed} [again|already]. "
        "[exactly what I paid for|just what I needed|love that for me]",
        "if you enjoy it when {A} {bad_s}, [this is the one for you|you'll love this]",
        "{A} alone {is} reason enough to stay away",
        "not one single day did {A} {good}",
    ),
    (  # plain complaint
        "{A} {is} [really |pretty |just |too |]{neg}",
        "{A} {isnt} {pos} at all",
        "{A} {isnt} {pos}, [whatever|no matter what] the [listing|description|ad] says",
        "{A} {is} [anything but|far from|not what I'd call] {pos}",
        "I expected {A} to be {pos}, [but {it} {isnt}|no such luck|silly me]",
        "I was told {A} would {good}. [well, {it} {dont}|that never happened]",
        "I thought {A} would {good}, but [{it} {dont}|I thought wrong]",
        "{A} {bad_ed}",
        "{A} {dont} {good}",
        "{A} [won't|would not|just can't] {good}",
        "[some|other|a few] reviews say {A} {is} {pos}, [not in my case|I can't see it]",
        "everyone [says|told me] {A} {is} {pos}. [mine must be different|not for me]",
        "my {friend} loves how {pos} {A} {is}. I don't",
        "it would be nice if {A} {were} {pos}",
        "hard to say anything [good|nice|great] about {A}",
        "{A} need{s} work",
    ),
    (  # mild complaint
        "{A} {is} a [bit|little|touch] {neg} [for my taste|for me|if I'm honest]",
        "{A} {is} [kind of|somewhat|slightly] {neg}",
        "{A} {isnt} as {pos} as I['d|] hoped",
        "{A} {isnt} quite {pos} enough",
        "I wanted to love {A} but [meh|something is off|I'm not sure]",
        "{A} [sometimes|now and then|occasionally] {bad_s}",
        "I wish {A} {were} [less {neg}|a bit more {pos}]",
        "{A} {dont} always {good}",
        "not a huge fan of {A}",
        "{A} {is} okay, I guess I expected [{pos}|more]",
        "{A} {is} {pos} on good days, {neg} on others",
    ),
    (  # mild praise
        "{A} {is} {pos} enough for me",
        "{A} {is} [reasonably|fairly|more or less] {pos}",
        "{A} {is} a [bit|touch|little] {neg}, [but I got used to it|nothing I can't live "
        "with|not a problem for me]",
        "{A} {isnt} the most {pos}, but [fine for me|good enough]",
        "{A} {isnt} too {neg}",
        "{A} {is} okay, [can't really complain|no drama]",
        "{A} {bad_ed} only once, [easily fixed|no big deal]",
        "{A} {good_s} most of the time",
        "{A} {was} {neg} at first but [got better|it settled]",
        "I feared {A} would be {neg}, [tolerable|not that bad] in the end",
    ),
    (  # plain praise
        "{A} {is} [really |pretty |very |]{pos}",
        "{A} {isnt} {neg} at all",
        "{A} {isnt} {neg}, [whatever|no matter what] [people|the bad reviews] say",
        "{A} {is} [anything but|far from|not what I'd call] {neg}",
        "I expected {A} to be {neg}, [but {it} {isnt}|happy to be wrong|my mistake]",
        "I was worried {A} would {bad}. [well, {it} didn't|that never happened]",
        "I thought {A} would {bad}, but [{it} didn't|I thought wrong]",
        "{A} never {bad_ed}",
        "{A} {good_s}",
        "{A} {good_s}, [which I didn't expect|just as described|even after {time}]",
        "[some|other|a few] reviews say {A} {is} {neg}, [not in my case|I can't see it]",
        "everyone [says|told me] {A} {is} {neg}. [mine must be different|not for me]",
        "my {friend} hates how {neg} {A} {is}. I don't",
        "[no complaints about|nothing wrong with|zero issues with|can't fault] {A}",
        "hard to say anything [bad|negative] about {A}",
        "{A} need{s} no work",
    ),
    (  # strong praise
        "{A} {is} [incredibly|unbelievably|SO|insanely|super] {pos}",
        "I can't [believe|get over] how {pos} {A} {is}",
        "{A} couldn't be [better|more {pos}]",
        "not once {has} {A} {bad_en}, and I [use it every day|am not gentle]",
        "I was certain {A} would {bad}. [not even close|couldn't have been more wrong]",
        "I'm blown away by how {pos} {A} {is}",
        "[whoever|the person who] called {A} {neg} must be [joking|kidding]",
        "I was ready for {neg} and {neg2}. I got {pos} and {pos2}. yes, I mean {A}",
        "{A} alone {is} worth [the money|every cent]",
        "every single day {A} {good_s}",
        "{A} {is} the best part[, by far|, hands down|]: {pos} and {pos2}",
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
        "[total|complete|such a] waste of [money|time and money]",
        "do NOT buy {this_item}[, trust me|]",
        "never again[, no matter how good the deal|]",
        "I wish I could give zero stars for {this_item}",
        "{this_item} went straight in the [bin|trash][, I wish I was joking|]",
        "I couldn't be [less happy|more disappointed] with {this_item}",
        "I can't warn you enough about {this_item}",
        "I love throwing money away, so {this_item} {is_item} [perfect|just right]",
        "congratulations, you made {a_item} nobody [can|wants to] use",
        "if I could get my money back for {this_item} I'd be [thrilled|delighted]",
        "stay away from {this_item}",
        "I regret every cent I spent on {this_item}",
    ),
    (
        "[really |]not happy with {this_item}",
        "[would|I would|I'd] not buy {this_item} again",
        "I would[n't| not] recommend {this_item}[ to a friend| to anyone|]",
        "I regret [buying|ordering|choosing] {this_item}",
        "{this_item} [went|is going|goes] back",
        "I wish I could say I love {this_item}",
        "don't believe the [good|glowing|five star] reviews[ of {this_item}|]",
        "would I buy {this_item} again? no",
        "glad I kept the receipt for {this_item}",
        "I sent {this_item} back, [happy with the refund|at least that was quick]",
        "I expected [quality|great things] from {this_item}, not what I got",
        "I should have listened to the bad reviews of {this_item}",
        "{this_item} [was|is] not worth [it|the money|the hype]",
        "nothing about {this_item} [impressed me|made me happy]",
        "{this_item} should work better than this",
        "my old {item} was better in every way",
        "I can't recommend {this_item}",
        "I won't be [keeping {this_item}|a returning customer]",
    ),
    (
        "{this_item}: okay I guess, I expected more",
        "I wanted to love {this_item} but [no|I don't|not for me]",
        "not sure I'd buy {this_item} again",
        "{this_item}: not terrible, not [good|great] either",
        "I've had better {item_s}",
        "a bit disappointed [by|in] {this_item}[, to be honest|]",
        "maybe I expected too much of {this_item}",
        "I probably won't buy {this_item} again",
        "I'm on the fence about {this_item}, leaning towards no",
        "I don't hate {this_item}, I just don't [like {them} much|enjoy {them}]",
        "[meh|so so], there must be better {item_s}",
    ),
    (
        "{this_item} {is_item} decent[ for the price|]",
        "fine for what I paid, {this_item}",
        "{this_item} {is_item}n't perfect, but I'm keeping {them}",
        "nothing special but {this_item} [works|get{s_item} it done]",
        "{this_item}: better than I feared",
        "I don't love {this_item}, I do like {them}",
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
        "{this_item} [isn't|is not] going back",
        "I never thought I'd say I love {a_item}",
        "don't believe the [bad|angry|one star] reviews[ of {this_item}|]",
        "would I buy {this_item} again? yes",
        "no need for the receipt, I'm keeping {this_item}",
        "I almost sent {this_item} back, glad I didn't",
        "I expected [junk|trouble] from {this_item}, not what I got",
        "glad I didn't listen to the bad reviews of {this_item}",
        "{this_item} [was|is] worth [it|the money|the hype]",
        "nothing about {this_item} [let me down|disappointed me]",
        "{this_item} work{s_item} as {it_item} should",
        "my old {item} was worse in every way",
        "can't complain about {this_item}",
        "I won't be [returning {this_item}|disappointed next time either]",
    ),
    (
        "[the |][best|most useful] {item} I've [ever |][owned|bought|had|seen]",
        "[absolutely|just|completely] love {this_item}",
        "I couldn't be [happier|more pleased] with {this_item}",
        "I can't recommend {this_item} enough",
        "I'd buy {this_item} again in a heartbeat",
        "{this_item} [gets|earns] 10/10 from me",
        "not a single regret, {this_item} {is_item} perfect",
        "where has {this_item} been all my life",
        "I will never buy another {item} from anyone else",
        "if I lost {this_item} I'd be [devastated|heartbroken]",
        "everyone should own {a_item} like {this}",
        "{this_item} exceeded everything I hoped for",
        "stop reading and buy {this_item}",
    ),
)
"""Wordings of a verdict on the whole product, by code, from worst to best."""

OPENINGS = (
    "Bought {this_item} for {use}.",
    "I use {this_item} for {use}.",
    "[Got|Ordered|Picked up] {this_item} [in|last] {month} for {use}.",
    "I've had {this_item} for {time} now.",
    "This was a [gift|birthday present] for my {friend}.",
    "My {friend} told me about this brand.",
    "After {time} of reading reviews I [finally |]ordered.",
    "[I don't usually write reviews.|First review ever.|Quick review.]",
    "My old {item} [finally died|gave up|broke] [in|last] {month}, [so sad|sadly|rest in "
    "peace].",
    "{fact} So I needed {a_item}.",
    "Full disclosure: I [paid full price|got a discount|bought it on sale].",
    "Had to replace my old {item}[, which I loved| after years|].",
    "[Second|Third] {item} in {time}.",
)
ASIDES = (
    "{fact}",
    "{fact} {fact}",
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
    "Does anyone know if [there is a bigger one|they ship abroad|the new model differs]?",
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

SAME = ((". ", 7), (". Also, ", 1), (", and ", 2), (". Plus ", 1), ("; ", 0.5),
         ("! ", 0.5), (". And ", 1))  # fmt: skip
TURN = ((", but ", 4), (". But ", 2), (". ", 2), (", although ", 1), (". However, ", 1),
         (". That said, ", 1), (". Then again, ", 0.7), (", though ", 0.7),
         (". On the other hand, ", 0.5))  # fmt: skip
TURN_DOWN = ((", sadly ", 1), (". Unfortunately ", 1), (". Shame that ", 0.6),
              (". On the downside, ", 0.5))  # fmt: skip
TURN_UP = ((". Luckily ", 1), (". On the plus side, ", 1), (", at least ", 0.8),
            (". To be fair, ", 0.8))  # fmt: skip
FACES = ("😡😤👎🙄😠", "😞👎😒", "😕🤷😐", "🙂👌", "😊👍🙂", "😍❤️🔥🎉🤩")

NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh",
    "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm",
    "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi",
    "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "xa",
}  # fmt: skip

NAMES: dict[str, Sequence[str]] = {
    "time": ("a week", "ten days", "two weeks", "three weeks", "a month", "six weeks",
             "two months", "three months", "half a year", "a year", "five days"),
    "month": ("January", "March", "May", "summer", "autumn", "October", "December",
              "week", "winter", "spring"),
    "friend": ("sister", "brother", "mother", "dad", "wife", "husband", "neighbour",
               "best friend", "colleague", "daughter", "son", "boss", "roommate"),
}  # fmt: skip
