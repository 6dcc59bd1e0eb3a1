"""What the built-in shop sells: categories, kinds of product and their aspects.

The catalogue below has one line per aspect; :func:`_aspect` reads it::

    zip: smooth, sturdy / stiff, cheap / jam>jammed, break>broke>broken / close properly
    name: praise / complaint / bad events (base>past>participle) / good habits

A star marks a plural ("*straps"). Many adjectives praise one aspect and damn another
(light bag, light smell; long battery life, long wait), so words alone do not tell.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Aspect:
    """A part or side of a product that people write about.

    Attributes:
      name: noun phrase without article.
      plural: whether the noun is plural.
      praise: adjectives that are good news about this aspect.
      complaint: adjectives that are bad news about it.
      bad: events (base, past, participle) that should not happen to it.
      good: habits, in base form, that it should have.
      part: whether other products have the same part, for comparisons.
    """

    name: str
    plural: bool
    praise: tuple[str, ...]
    complaint: tuple[str, ...]
    bad: tuple[tuple[str, str, str], ...]
    good: tuple[str, ...]
    part: bool


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of product.

    Attributes:
      noun: what people call it.
      plural: whether the noun is plural ("headphones").
      category: the category's name.
      price: typical price in the shop's currency.
      aspects: of the category, then those of every purchase.
      uses: what people use it for, completing "I use it for ...".
      facts: neutral sentences about life with it.
    """

    noun: str
    plural: bool
    category: str
    price: float
    aspects: tuple[Aspect, ...]
    uses: tuple[str, ...]
    facts: tuple[str, ...]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _event(text: str) -> tuple[str, str, str]:
    base, past, *participle = text.split(">")
    return base, past, participle[0] if participle else past


def _aspect(name: str, text: str, part: bool) -> Aspect:
    praise, complaint, bad, good = text.split("/")
    return Aspect(
        name=name.strip("* "),
        plural=name.startswith("*"),
        praise=_list(praise),
        complaint=_list(complaint),
        bad=tuple(_event(event) for event in _list(bad)),
        good=_list(good),
        part=part,
    )


_CATALOGUE = """
kitchen
  kinds: kettle 35, toaster 40, blender 55, coffee maker 70, air fryer 95
  uses: breakfast, tea in the morning, batch cooking, smoothies before work, guests at
      the weekend, the office kitchen
  facts: Our kitchen is tiny.|My old one died a terrible death last winter.|I love
      cooking but I'm no chef.|It sits next to the microwave.|We are a family of five.
  lid: tight, snug, light / loose, stiff, wobbly / pop off>popped off,get stuck>got
      stuck>gotten stuck / close with a click, stay shut
  motor: quiet, strong, quick / loud, weak, slow / burn out>burned
      out,overheat>overheated / start at the first press
  handle: cool, solid, smooth / hot, loose, rough / crack>cracked,come off>came off>come
      off / stay cool
  cord: long, thick / short, thin, stiff / fray>frayed, get hot>got hot>gotten hot /
      reach the outlet
  plastic: thick, smooth / thin, cheap, sharp / melt>melted, warp>warped / hold up to
      heat
  smell: light, faint / strong, sharp, chemical / stick around>stuck around,get into the
      food>got into the food / go away after one use
  *buttons: big, simple, soft / small, stiff, sticky / stop working>stopped working,
      fall off>fell off>fallen off / respond right away
audio
  kinds: *headphones 80, *earbuds 60, speaker 70, soundbar 140, *wireless earphones 45
  uses: my commute, the gym, calls from home, podcasts, movie night, long flights
  facts: I listen to a lot of sad music.|My hearing is not the best, to be fair.|The
      neighbours hate my taste.|I come from wired ones.|Mostly used with an older phone.
  battery life: long, solid / short, weak / drop>dropped, go downhill>went downhill>gone
      downhill / last a whole day, match the specs
  bass: deep, strong, warm / weak, thin, muddy / crackle>crackled,distort>distorted /
      hit hard
  sound: clear, warm, sharp / thin, dull, muffled / cut out>cut out,crackle>crackled /
      fill the room
  connection: stable, quick / slow, weak, shaky / drop>dropped, cut out>cut out / hold
      through two walls, reconnect by itself
  charging time: short, quick / long, slow / double>doubled,get longer>got longer>gotten
      longer / stay under an hour
  volume: high, loud / low, weak / jump around>jumped around,drop>dropped / go high
      enough
  microphone: clear, sharp / dull, weak / pick up every noise>picked up every noise,
      stop working>stopped working / pick up my voice
bags
  kinds: backpack 60, suitcase 110, handbag 75, laptop bag 50, duffel bag 45
  uses: work, weekend trips, carry-on, university, the gym, travel with two kids
  facts: I carry a laptop and far too many books.|I hate airports.|My last one was
      stolen, a sad story.|It comes in four colours.|I'm 5'3 for reference.
  zip: smooth, sturdy, strong / stiff, flimsy, cheap / jam>jammed, come apart>came
      apart>come apart, break>broke>broken / close in one go, run smoothly
  *straps: soft, wide, thick / thin, hard, short / tear>tore>torn,dig in>dug in / stay
      in place, sit well
  weight: low, light / heavy, high / wear me out>wore me out>worn me out / suit a long
      walk
  lining: smooth, thick, bright / thin, dark, flimsy / rip>ripped,tear>tore>torn / keep
      everything dry
  *seams: tight, strong, neat / loose, weak, crooked / split>split,come undone>came
      undone>come undone / hold under a full load
  leather: soft, thick / stiff, thin, cheap / peel>peeled, crack>cracked / age well
  *wheels: quiet, smooth / loud, wobbly, stiff / fall off>fell off>fallen off,lock
      up>locked up / roll straight
shoes
  kinds: *boots 95, *sneakers 70, *sandals 45, *running shoes 100, *slippers 25
  uses: walking the dog, long shifts, the trail, standing all day, running, summer
  facts: I have wide feet.|I usually take a 9.|I walk a lot, rain or shine.|My feet have
      had a rough year.|The weather was awful the whole month.
  *soles: thick, soft, light / thin, hard, slippery / come off>came off>come off, wear
      out>wore out>worn out / grip on wet floors
  fit: snug, true / tight, narrow, loose / change>changed, get worse>got worse>gotten
      worse / match the size chart
  *laces: long, strong / short, thin / snap>snapped, come undone>came undone>come undone
      / stay tied
  *insoles: soft, warm / thin, hard, flat / slip out>slipped out,go flat>went flat>gone
      flat / support my arch
  stitching: tight, neat / loose, sloppy / come undone>came undone>come
      undone,rip>ripped / hold up in the rain
  heel: low, soft, stable / high, hard, wobbly / rub>rubbed,break>broke>broken / cushion
      every step
clothing
  kinds: dress 55, sweater 50, *jeans 65, jacket 90, shirt 35
  uses: the office, a wedding, everyday wear, a date night, winter walks, travel
  facts: I'm 5'6 and usually a medium.|I hate ironing.|I wore it to a really sad
      funeral.|My wardrobe is mostly black.|I got the blue one.
  fabric: soft, light, thick / thin, rough, cheap / pill>pilled,shrink>shrank>shrunk /
      keep its shape
  colour: bright, deep, rich / dull, dark, pale / fade>faded, run>ran>run / match the
      photos
  waist: snug, high, soft / tight, loose, low / ride up>rode up>ridden up,stretch
      out>stretched out / sit right
  *sleeves: long, loose / short, tight, wide / shrink>shrank>shrunk,lose shape>lost
      shape / reach my wrists
  *buttons: neat, tight, simple / loose, cheap / fall off>fell off>fallen off,pop
      open>popped open / stay closed
  lining: light, smooth / heavy, scratchy, hot / tear>tore>torn,bunch up>bunched up /
      sit flat
  cut: simple, loose, flattering / boxy, tight, odd / look off>looked off / flatter most
      shapes
skincare
  kinds: face cream 28, shampoo 14, serum 35, body lotion 16, sunscreen 20
  uses: dry skin, my night routine, the beach, winter, after the gym, my mother's hands
  facts: My skin is sensitive and a bit dramatic.|I'm 43 with dry patches.|I've had bad
      luck with skin all year.|I use it twice a day.|My dermatologist hates everything.
  scent: light, fresh, faint / strong, heavy, sharp / linger>lingered,give me a
      headache>gave me a headache>given me a headache / fade quickly
  texture: light, rich, smooth / thick, sticky, heavy / separate>separated,turn
      grainy>turned grainy / sink in right away
  pump: smooth, simple / stiff, loose / clog>clogged, break>broke>broken / give the
      right amount
  bottle: big, light / small, heavy / leak>leaked, crack>cracked / last for months
  formula: mild, rich, simple / harsh, thin, greasy / sting>stung,burn my eyes>burned my
      eyes / calm my skin
  effect: strong, quick, lasting / weak, slow, short / wear off>wore off>worn off / last
      all day
pets
  kinds: dog bed 55, cat tree 85, dog harness 30, *chew toys 18, water fountain 35
  uses: our old beagle, two spoiled cats, a strong puller, a nervous rescue, the puppy
  facts: He is a good boy and the love of my life.|She hates everything for a week.|Our
      vet is wonderful.|He weighs about 30 kg.|The cat ignores all presents.
  cover: soft, thick, washable / thin, rough, hot / rip>ripped,shrink>shrank>shrunk /
      survive the washing machine
  smell: faint, light / strong, heavy / linger>lingered,come back>came back>come back /
      disappear after a day
  *seams: tight, strong / loose, weak / split>split,come apart>came apart>come apart /
      survive the teeth
  base: heavy, wide, solid / light, narrow, wobbly / tip over>tipped over,crack>cracked
      / stay put
  size: big, generous / small, tight / shrink>shrank>shrunk / match the measurements
  *clips: tight, strong, simple / loose, stiff, cheap / snap>snapped,pop open>popped
      open / stay closed
toys
  kinds: board game 35, building set 50, puzzle 20, toy train 45, doll house 80
  uses: my nephew's birthday, rainy days, family night, a four year old, a classroom
  facts: My kids fight about everything.|She turned six in May.|We lost terribly, as
      always.|Grandma loves puzzles.|He is obsessed with dinosaurs.
  *pieces: big, thick, smooth / small, thin, sharp / break>broke>broken,go missing>went
      missing>gone missing / fit together
  paint: bright, smooth / dull, thin, sticky / chip>chipped,come off>came off>come off /
      look like the picture
  *rules: short, simple, clear / long, vague / confuse everyone>confused everyone,start
      arguments>started arguments / make sense
  box: sturdy, small / flimsy, huge / fall apart>fell apart>fallen apart,split>split /
      hold everything
  play time: long, short enough / endless, short / drag on>dragged on / keep them busy
  cardboard: thick, strong / thin, cheap / bend>bent, peel>peeled / survive small hands
furniture
  kinds: office chair 160, bookshelf 90, desk 180, bar stool 75, floor lamp 60
  uses: my home office, a small flat, the kids' room, reading, the guest room
  facts: I work from home and my back hates me.|We moved in May, a horrible week.|I put
      it in the hallway.|My husband did the building.|The old one was a family treasure.
  assembly: quick, simple, easy / long, hard, painful / go wrong>went wrong>gone wrong,
      take forever>took forever>taken forever / work without tools
  seat: soft, wide, thick / hard, narrow, thin / sink>sank>sunk,go flat>went flat>gone
      flat / support my back
  *legs: thick, stable, heavy / thin, wobbly, light / bend>bent,scratch the
      floor>scratched the floor / stand level
  finish: smooth, dark, even / rough, cheap, patchy / scratch>scratched,peel>peeled /
      match the picture
  *screws: long, strong / short, soft, cheap / come loose>came loose>come
      loose,strip>stripped / stay tight
  light: bright, warm, soft / dim, cold, harsh / flicker>flickered,burn out>burned out /
      fill the corner
phones
  kinds: phone case 20, power bank 35, charger 22, screen protector 12, phone holder 18
  uses: the car, travel, work, my clumsy hands, the bedside table, festivals
  facts: I drop my phone a lot, sadly.|Mine is two years old.|I hate tangled cables.|My
      last phone had a tragic end.|I ordered the black one.
  grip: tight, firm, soft / slippery, loose, weak / wear off>wore off>worn
      off,slip>slipped / hold on bumpy roads
  cable: long, thick / short, thin, stiff / fray>frayed,stop working>stopped working /
      reach the sofa
  magnet: strong, firm / weak, loose / give up>gave up>given up,come off>came off>come
      off / hold in the car
  *edges: soft, smooth, thick / sharp, thin, rough / chip>chipped,crack>cracked /
      survive a drop
  plastic: clear, thin, hard / cheap, thick, cloudy / turn yellow>turned
      yellow,crack>cracked / stay clear
  charging: quick, fast, cool / slow, hot, weak / cut out>cut out,stop at half>stopped
      at half / start right away
garden
  kinds: garden hose 40, *pruning shears 25, camping chair 45, tent 150, lawn mower 260
  uses: our allotment, two weeks of camping, a small balcony, the hedge, festivals
  facts: The summer was miserable here.|I garden badly but with love.|We have about 200
      square metres.|The slugs won this year.|My neighbour's lawn is perfect, I hate
      him.
  *blades: sharp, hard / dull, soft, loose / rust>rusted, bend>bent / stay sharp, cut
      clean
  weight: light, low / heavy, high / wear me out>wore me out>worn me out / make sense
      for hiking
  *joints: tight, smooth, strong / loose, stiff / leak>leaked,snap>snapped / hold the
      pressure
  *poles: thick, light / thin, heavy, stiff / snap>snapped,bend>bent / survive the wind
  fabric: thick, light, tight / thin, heavy, loose / tear>tore>torn,fade>faded / keep
      the rain out
  grip: soft, firm / hard, slippery / come off>came off>come off,crack>cracked / suit
      small hands
food
  kinds: coffee 18, green tea 12, dark chocolate 9, hot sauce 11, olive oil 16
  uses: breakfast, the office, a dinner party, my sweet tooth, cold mornings, gifts
  facts: I drink way too much of it.|My doctor hates this hobby.|I was raised on bad
      coffee.|I order every two months.|We are picky eaters at home.
  taste: strong, rich, mild / weak, thin, bitter / change>changed,get worse>got
      worse>gotten worse / stay with you
  aftertaste: light, short, clean / bitter, long, sour / linger>lingered,ruin it>ruined
      it / vanish quickly
  smell: strong, fresh, rich / stale, weak, faint / vanish>vanished,turn sour>turned
      sour / fill the kitchen
  bag: big, simple / small, thin / tear>tore>torn, leak>leaked / seal again
  expiry date: distant, generous / close, tight / pass>passed / leave plenty of time
  heat: mild, slow, strong / weak, harsh / fade>faded,kill the flavour>killed the
      flavour / build up slowly
everywhere
  price: low, fair, cheap, reasonable / high, steep, unfair / go up>went up>gone
      up,double>doubled / match the quality
  delivery: quick, fast, smooth / slow, late, chaotic / go wrong>went wrong>gone
      wrong,take forever>took forever>taken forever / arrive on the promised day, run
      like clockwork
  wait: short, painless / long, endless, annoying / drag on>dragged on,get longer>got
      longer>gotten longer / stay under a week
  packaging: simple, light, neat / thin, excessive, flimsy / tear>tore>torn,arrive
      crushed>arrived crushed / protect everything inside
  *instructions: short, clear, simple / long, vague, confusing / leave out a step>left
      out a step, send me in circles>sent me in circles / explain every step
  customer service: quick, friendly, helpful / slow, cold, rude / ignore me>ignored
      me,hang up on me>hung up on me / answer within a day, take care of problems
  quality: solid, high / low, cheap, poor / disappoint>disappointed,let me down>let me
      down / justify the price
"""


def _lines() -> dict[str, dict[str, str]]:
    """Category -> name of the line -> its text; continued lines stand further in."""
    categories: dict[str, dict[str, str]] = {}
    name = ""
    for line in _CATALOGUE.strip().splitlines():
        if not line.startswith(" "):
            lines = categories.setdefault(line, {})
        elif line.startswith("      "):
            lines[name] += " " + line.strip()
        else:
            name, _, text = line.strip().partition(":")
            lines[name] = text.strip()
    return categories


def _kinds(catalogue: dict[str, dict[str, str]]) -> tuple[Kind, ...]:
    everywhere = tuple(
        _aspect(name, text, part=False) for name, text in catalogue[_EVERYWHERE].items()
    )
    kinds = []
    for category, lines in catalogue.items():
        if category == _EVERYWHERE:
            continue
        nouns, uses, facts = (lines.pop(name) for name in ("kinds", "uses", "facts"))
        own = tuple(_aspect(name, text, part=True) for name, text in lines.items())
        for noun, price in (entry.rsplit(" ", 1) for entry in _list(nouns)):
            kinds.append(
                Kind(
                    noun=noun.lstrip("*"),
                    plural=noun.startswith("*"),
                    category=category,
                    price=float(price),
                    aspects=own + everywhere,
                    uses=_list(uses),
                    facts=tuple(facts.split("|")),
                )
            )
    return tuple(kinds)


_EVERYWHERE = "everywhere"
KINDS = _kinds(_lines())
CATEGORIES = tuple(dict.fromkeys(kind.category for kind in KINDS))
EVERYWHERE = sum(not aspect.part for aspect in KINDS[0].aspects)
"""How many of a kind's aspects, the last ones, belong to every purchase."""
