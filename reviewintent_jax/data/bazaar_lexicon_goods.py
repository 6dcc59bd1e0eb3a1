"""Words that praise and damn one category of goods: coffee is stale, boots pinch.

Per category: adjectives that praise (+) and damn (-), and what good (>) and bad (<)
products do, verbs in base form. Read by :func:`words_of`.
"""

from typing import NamedTuple

_TEXT = """
kitchen
  + efficient, sturdy, compact, easy to clean, powerful, stylish, whisper-quiet, solid,
    heavy-duty, versatile, time-saving, fuss-free, intuitive, well built, space-saving
  - noisy, flimsy, leaky, underpowered, impossible to clean, bulky, rusty, smelly,
    greasy, overheating, clunky, tinny, ear-splitting, burnt-smelling, grimy,
    short-lived
  > heat up in no time, clean up in seconds, make breakfast a pleasure, brown everything
    evenly, whip up dinner in minutes, make everything taste better, wipe clean easily,
    look smart on the counter, cut my cooking time in half, purr quietly, cook to a turn
  < burn everything, leak all over the counter, trip the fuse, smell of burnt plastic,
    rust after {time}, take ages to heat up, leave food half raw, sound like a jet
    engine, spit hot water at me, make everything taste of plastic, scorch one side,
    smoke
audio
  + crystal clear, crisp, comfortable, immersive, punchy, well balanced, rich-sounding,
    lightweight, powerful, detailed, melodious, room-filling, concert-like, natural
  - tinny, crackly, uncomfortable, muddy, hissy, distorted, laggy, hollow,
    static-filled, shrill, screechy, painful to wear, echoey, unbalanced, wheezy, faint,
    garbled
  > sound incredible, block out the train, pair instantly, stay comfortable for hours,
    make old songs sound new, bring films to life, rock the whole house, stay charged
    for ages, give me goosebumps, let me hear every detail, drown out the office
  < hiss constantly, hurt after ten minutes, cut out mid-song, crackle at half volume,
    lose the connection all the time, sound like a tin can, go dead without warning,
    refuse to pair, buzz in one ear, make voices sound underwater, give me an earache,
    drain overnight
bags
  + roomy, sturdy, stylish, spacious, durable, comfortable to carry, waterproof, rugged,
    well organised, featherlight, smart-looking, practical, hard-wearing, chic
  - flimsy, cramped, poorly stitched, uncomfortable, saggy, bulky, frayed, plasticky,
    unbalanced, shapeless, leaky, wonky, torn, floppy, smelly, scuffed
  > hold everything I need, survive rough baggage handlers, glide through the airport,
    keep my laptop safe, shrug off the rain, sit comfortably on my back, look smart at
    the office, fit under the seat with ease, keep things organised, swallow a week of
    clothes
  < rip at the seams, dig into my shoulders, soak through in a drizzle, tip over
    constantly, stain my shirt, hold no more than a lunch box, come back from one flight
    in pieces, stink of chemicals, burst open in public, scuff if you look at it, hurt
    my back
shoes
  + comfy, comfortable, supportive, stylish, cushioned, lightweight, cosy, breathable,
    waterproof, well fitting, durable, true to size, roomy, springy, snug, cloud-like
  - uncomfortable, painful, stiff, clunky, narrow, leaky, squeaky, smelly, sweaty,
    flimsy, blister-inducing, unsupportive, ill-fitting, slippery, crippling, lopsided
  > feel like walking on clouds, need no breaking in, keep my feet dry, support my
    arches, go with everything, feel heavenly on tired feet, grip like crazy, make me
    want to walk more, cure my heel pain, last for miles, hug my feet, breathe nicely
  < give me blisters, pinch my toes, squeak with every step, fall apart after {time},
    soak through in a puddle, rub my heels raw, make my feet ache, run two sizes small,
    cripple me, slip on wet ground, stink, cut off my circulation, crack along the side
clothing
  + comfortable, flattering, stylish, cute, cosy, elegant, well cut, breathable, chic,
    soft, figure-hugging, snug, fashionable, easy to wash, pretty, silky, warm,
    timeless, feminine
  - itchy, scratchy, see-through, unflattering, frumpy, shapeless, baggy, ill-fitting,
    clingy, faded, threadbare, moth-eaten, stained, crooked, stiff, sack-like, dowdy
  > fit perfectly, feel like a second skin, wash well, get me compliments, flatter my
    figure, keep me warm, make me feel pretty, go with everything, drape beautifully,
    hide my tummy, feel soft against the skin, keep the shape after many washes, look so
    smart
  < shrink in the wash, itch like mad, fall apart in the wash, make me look pregnant,
    hang like a sack, lose colour everywhere, run far too small, unravel, pill after one
    wear, show every bulge, ride up, turn my laundry pink, rip on the first wear, look
    like pyjamas
skincare
  + gentle, soothing, nourishing, hydrating, moisturising, refreshing, silky,
    non-greasy, calming, sweet-smelling, rejuvenating, lightweight, effective,
    luxurious, healing
  - greasy, sticky, irritating, drying, harsh, smelly, oily, watery, chalky,
    ineffective, runny, overpowering, gloopy, rancid, itchy, clumpy, chemical-smelling,
    tacky
  > make my skin glow, smell divine, absorb quickly, clear up my dry patches, leave me
    silky smooth, calm the redness, make me look younger, feel like a spa day, banish my
    breakouts, keep me soft all day, heal cracked hands, work overnight
  < break me out, burn my face, give me a rash, leave a greasy film, smell like old
    socks, make me itch, sting my eyes, dry my skin out, do nothing at all, make my face
    peel, clog my pores, turn my skin red, trigger my eczema, make my hair limp, stain
    my pillow
pets
  + comfy, sturdy, chew-proof, easy to clean, cosy, safe, durable, washable, adjustable,
    escape-proof, well padded, cuddly, fun, secure, practical, machine-washable
  - flimsy, unsafe, wobbly, smelly, hazardous, hard to clean, noisy, scratchy,
    uncomfortable, tiny, badly sewn, rickety, lumpy, leaky, mouldy, frightening
  > keep {pet} busy for hours, make {pet} so happy, survive the sharpest teeth, get
    tails wagging, wash up nicely, stop the pulling, give {pet} a cosy nap spot, keep
    {pet} calm, bring out the kitten in them, win over the fussiest animal
  < scare {pet}, fall over constantly, get shredded in minutes, rub the fur off, make
    {pet} sick, pinch the skin, stink up the room, get ignored completely, collapse
    under a kitten, hurt {pet}, shed stuffing everywhere, choke my poor dog
toys
  + fun, entertaining, colourful, educational, engaging, sturdy, imaginative, addictive,
    adorable, safe, cute, creative, exciting, clever, captivating, replayable, hilarious
  - boring, flimsy, confusing, dangerous, incomplete, dull, repetitive, badly printed,
    too easy, frustrating, brittle, chaotic, pointless, creepy, wobbly, toxic-smelling
  > keep the kids happy for hours, make everyone laugh, bring the family together, teach
    without boring anyone, get played with every day, spark imagination, beat any
    screen, light up little faces, make birthdays special, survive my toddler
  < bore everyone in minutes, fall apart in small hands, end in tears, come with pieces
    missing, frustrate my kids, scratch little fingers, put everyone to sleep, cause a
    fight, shed paint flakes, gather dust after one go, break before the candles were
    out
furniture
  + sturdy, comfortable, elegant, stylish, rock-solid, modern, ergonomic, well built,
    sleek, handsome, stable, easy to assemble, supportive, space-saving, robust,
    tasteful
  - wobbly, flimsy, rickety, uncomfortable, scratched, dented, creaky, crooked, warped,
    chipped, unstable, hard to assemble, splintered, saggy, lopsided, bent
  > look gorgeous in the room, support my back, go together in minutes, feel solid as a
    rock, transform the room, end my back pain, fit the space perfectly, stay steady,
    match everything we own, stand up to the kids, make working from home a pleasure
  < wobble like jelly, arrive with dents, kill my back, lean to one side, creak with
    every move, take four hours to put together, sag after {time}, scratch the floor,
    come with the wrong screws, collapse under my weight, chip at a touch, smell of glue
    for weeks
phones
  + sturdy, protective, slim, handy, fast-charging, compact, grippy, reliable, sleek,
    snug, scratch-proof, portable, durable, shock-proof, secure, pocketable
  - flimsy, bulky, slippery, slow-charging, scratched, bubbly, overheating, cracked,
    ill-fitting, loose-fitting, short-lived, yellowed, unstable, brittle, greasy, warped
  > save my phone from a nasty fall, charge at lightning speed, fit perfectly, hold on
    tight, keep going for days, feel great in the hand, go on without bubbles, survive
    my toddler, keep my phone safe, charge everything I own, work with every phone we
    have
  < overheat, crack my screen, stop charging, let my phone drop, peel off after {time},
    cover half the camera, leave scratches, charge slower than a snail, fry my battery,
    bubble up at the edges, fail to fit, block the signal, get scorching hot, turn
    yellow
garden
  + sturdy, lightweight, weatherproof, sharp, durable, comfortable, easy to set up,
    rugged, well balanced, roomy, waterproof, heavy-duty, dependable, ergonomic,
    practical
  - flimsy, leaky, blunt, rusty, wobbly, unsafe, hard to set up, stiff, brittle, clumsy,
    mouldy, bent, kinked, unstable, dented, short-lived
  > cut like butter, stand up to storms, go up in five minutes, make gardening fun
    again, keep us dry, save my knees, last for seasons, get the job done in half the
    time, fold up small, handle the toughest jobs, make the neighbours jealous
  < leak like a sieve, rust after the first rain, collapse in a breeze, kink constantly,
    snap under no load, blister my hands, let the rain in, refuse to start, soak our
    sleeping bags, bend like cardboard, chew up the grass, flood the patio, jam every
    minute
food
  + delicious, tasty, fresh, aromatic, flavourful, smooth, rich, mouth-watering,
    moreish, full-bodied, fragrant, velvety, scrumptious, yummy, well rounded,
    authentic, addictive
  - bitter, bland, stale, tasteless, sour, rancid, watery, burnt, musty, dusty,
    artificial, flavourless, sickly, mouldy, inedible, gritty, insipid, acrid,
    unpalatable
  > taste heavenly, smell wonderful, wake me up with a smile, melt in the mouth, beat
    the cafe down the road, get my day off to a lovely start, disappear fast in our
    house, taste fresh, make any dish special, leave me wanting more, convert every
    guest
  < taste like dishwater, upset my stomach, taste burnt, smell like wet dog, leave a
    nasty aftertaste, turn my stomach, taste of cardboard, arrive out of date, make me
    gag, go straight down the sink, give me heartburn, taste like medicine, spoil a good
    meal
"""


class CategoryWords(NamedTuple):
    """What only this category's products are, and do, for better and worse."""

    good: tuple[str, ...]
    bad: tuple[str, ...]
    do_well: tuple[str, ...]
    do_badly: tuple[str, ...]


def _read() -> dict[str, CategoryWords]:
    lists: dict[str, dict[str, str]] = {}
    mark = ""
    for line in _TEXT.strip().splitlines():
        if not line.startswith(" "):
            lists[line] = {}
            here = lists[line]
        else:
            if not line.startswith("    "):
                mark, line = line.strip()[0], line.strip()[1:]
            here[mark] = f"{here.get(mark, '')} {line.strip()}"
    return {
        category: CategoryWords(
            *(tuple(w.strip() for w in here[mark].split(",")) for mark in "+-><")
        )
        for category, here in lists.items()
    }


_WORDS_OF = _read()


def words_of(category: str) -> CategoryWords:
    """Return the words of one category of ``bazaar_goods.CATEGORIES``."""
    return _WORDS_OF[category]
