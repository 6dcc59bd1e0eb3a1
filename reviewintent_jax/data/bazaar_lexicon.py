"""Words that praise and damn anything: an open vocabulary for the built-in shop.

Every list runs roughly from the most to the least common, and the shop draws from it
with a Zipf-like law, so most entries turn up once or never in a few thousand reviews.
Strong and plain words stand in separate lists, because the strength of a statement is
part of what a review says. Verbs are in base form; ``{it}`` and ``{them}`` are the
product, ``{time}`` and ``{friend}`` come from ``bazaar_phrases.NAMES``.
"""


def _words(text: str) -> tuple[str, ...]:
    """Split at commas: "a, b c" -> ("a", "b c")."""
    return tuple(" ".join(part.split()) for part in text.split(",") if part.strip())


SUPERB = _words("""
perfect, amazing, awesome, fantastic, wonderful, superb, outstanding, incredible,
brilliant, phenomenal, exceptional, stunning, magnificent, flawless, marvellous,
terrific, fabulous, spectacular, extraordinary, sublime, exquisite, stellar, glorious,
splendid, first-rate, top-notch, world-class, breathtaking, unbeatable, divine,
heavenly, mind-blowing, impeccable, faultless, immaculate, sensational, remarkable,
magical, unrivalled, peerless, astounding, astonishing, dazzling, second to none, out of
this world, beyond praise, beyond compare, five-star, jaw-dropping, masterful, gorgeous,
beautiful, delightful, unparalleled, matchless, epic, legendary, unreal, dreamy, genius,
top-tier, A-plus, blissful, wondrous, miraculous, majestic, exemplary, state of the art,
of the highest order, next level, a cut above, pure class, pure perfection, pure magic,
pure joy, pure bliss, pure luxury, bang on, spot on, the bee's knees, the gold standard,
the best of the best, a work of art, a dream come true, a revelation, a triumph, a
masterpiece, a marvel, a godsend, a lifesaver, a game changer, a home run, an absolute
gem, an absolute treat, a delight, heaven sent, the best thing ever, better than I dared
to dream, everything I dreamed of, nothing short of excellent, sheer brilliance, off the
charts, ten out of ten, five stars all the way, fit for a queen, fit for royalty, a
thing of beauty, to die for, flat-out awesome, world-beating, prize-winning,
award-worthy, enchanting, glowing perfection, flabbergasting, best in class, gold-plated
excellence, ideal in every way, a stroke of genius, a wonder, a little miracle, bliss,
an inspiration, unmatched, unsurpassed, incomparable, inimitable, supreme, superlative,
transcendent, ravishing, resplendent, luminous, spellbinding, captivating, bewitching,
thrilling, exhilarating, electrifying, invincible, indestructible, bulletproof,
rock-star quality, pure poetry, poetry in motion, music to my ears, the cat's whiskers,
top of the pops, the crown jewels, champion, a champion, a knockout, a showstopper, a
smash hit, a stunner, a dazzler, a beauty, a corker, a belter, absolute gold, solid
gold, priceless, worth its weight in gold, the holy grail, cloud nine, paradise, a slice
of heaven, love at first sight, beyond my wildest dreams, beyond all expectations,
better than ever, the icing on the cake, the stuff of dreams, unforgettable,
extraordinary in every respect, without equal, without rival, in a league of its own,
head and shoulders above the rest, leagues ahead, miles ahead, light years ahead, the
real deal, the finest around
""")
GOOD = _words("""
good, great, nice, lovely, excellent, pleasant, impressive, well thought out, super,
well made, reliable, satisfying, cool, a pleasure, likeable, clever, smart, tidy, well
done, very decent, trustworthy, dependable, pleasing, admirable, commendable,
praiseworthy, a nice surprise, better than expected, better than the pictures, neat, a
big plus, a highlight, exactly right, as promised, as advertised, exactly as described,
high-grade, premium, refined, polished, sleek, classy, elegant, tasteful, charming,
graceful, sophisticated, up to scratch, up to standard, on point, sound, ace, rad, first
class, quality stuff, well crafted, well designed, well executed, well judged,
thoughtful, considerate, carefully done, cleverly done, nicely done, neatly done,
properly done, beautifully finished, right on the money, hard to beat, easy to love,
easy to live with, a step up, a real improvement, a winner, a keeper, a hit, a good
surprise, worth every penny, worth the money, worth it, good value, fair value, a
bargain, a steal, noteworthy, to my liking, to my taste, a joy, a treat, a little
luxury, above average, ahead of the rest, better than most, strong, swell, exactly what
I wanted, exactly what I needed, all I hoped for, more than I hoped for, effective,
efficient, handy, practical, convenient, user-friendly, sensible, welcome, reassuring,
comforting, consistent, flattering, faithful, competent, capable, apt, generous, honest,
inviting, appealing, attractive, eye-catching, cheerful, uplifting, refreshing,
soothing, satisfactory in every way, a credit to the maker, professional, hassle-free,
trouble-free, painless, effortless, seamless, foolproof, problem-free, agreeable,
enjoyable, gratifying, fitting, favourable, fortunate, smooth as silk, nifty, snazzy,
spiffy, dandy, peachy, groovy, ingenious, inventive, innovative, resourceful, tip-top,
shipshape, in fine fettle, in great shape, of good quality, of high quality, cleverly
thought through, sturdy as they come, built to last, made with care, made with love, a
good call, a good match, a lovely touch, a thoughtful touch, a nice bonus, a plus point,
a selling point, an improvement, an upgrade, an asset, a success, a relief, a comfort, a
blessing, a pleasant surprise, a boon, a help, a find, a cracker, a charmer, a gem of
sorts, laudable, creditable, meritorious, estimable, worthy, worthwhile, rewarding,
satisfying to use, heartening, encouraging, promising, wholesome, harmonious, well
balanced overall, well rounded overall, balanced, accomplished, adept, proficient,
skilful, workmanlike, diligent, meticulous, precise, accurate, exact, true to the
description, true to its word, robust, resilient, long-lasting, hard-wearing overall,
sturdy enough for anything, easy, straightforward, uncomplicated, intuitive overall,
instantly likeable, easy on the eye
""")
AWFUL = _words("""
terrible, awful, horrible, useless, disgusting, garbage, rubbish, atrocious, appalling,
dreadful, abysmal, horrendous, pathetic, worthless, trash, junk, a joke, a disaster, a
nightmare, dire, hideous, vile, ghastly, diabolical, unacceptable, disgraceful,
shameful, horrid, abominable, deplorable, woeful, laughable, ridiculous, a disgrace, a
scam, a rip-off, a con, unusable, unbearable, insufferable, intolerable, hopeless,
godawful, the pits, catastrophic, disastrous, lousy beyond words, beneath contempt,
beyond a joke, criminal, outrageous, scandalous, insulting, an insult, a slap in the
face, a complete failure, a total letdown, an utter mess, a train wreck, a shambles, a
travesty, a catastrophe, a fiasco, a monstrosity, an abomination, an embarrassment, not
fit for purpose, not fit for a dog, bottom of the barrel, as bad as it gets, the worst
of the worst, the stuff of nightmares, an eyesore, revolting, repulsive, sickening,
nauseating, foul, rotten, putrid, dismal, wretched, miserable, infuriating, maddening,
excruciating, agonising, dangerous, a health hazard, a death trap, downright nasty,
cruel, crap, bogus, fraudulent, worse than useless, beyond repair, beyond hope, dead on
arrival, a crime, a sick joke, pure misery, pure frustration, pure torture, hell on
earth, hot garbage, pure landfill, fit for the bin, zero out of ten, a waste of space, a
waste of oxygen, a waste of money, money down the drain, a swindle, a sham, a farce, an
outrage, shocking, horrific, gruesome, grotesque, tragic, ruinous, ruined, wrecked,
execrable, lamentable beyond belief, pitiful, pitiable, contemptible, despicable,
detestable, loathsome, odious, noxious, toxic, poisonous, rancid, fetid,
stomach-turning, hair-raising, nightmarish, hellish, infernal, cursed, accursed, doomed,
irredeemable, indefensible, inexcusable, unforgivable, unspeakable, unthinkable,
mind-numbing, soul-destroying, soul-crushing, heart-breaking, gut-wrenching, enraging,
exasperating, humiliating, degrading, mortifying, obscene, offensive, monstrous, brutal,
barbaric, savage, calamitous, cataclysmic, apocalyptic, ruination, a calamity, a
debacle, a horror show, a horror story, a bad dream, a waking nightmare, a dumpster
fire, a car crash, a black hole for money, a bottomless pit, a ghastly mistake, an
atrocity, an affront, an absolute stinker, utter drivel, utter tripe, utter tosh, utter
bilge, complete bunk, the lowest of the low, rock bottom, worse than nothing, the worst
by a mile, a total write-off, good for nothing, not worth a dime, a robbery, highway
robbery, a fraud, a cheat, a lie
""")
BAD = _words("""
bad, poor, disappointing, shoddy, annoying, lousy, mediocre, underwhelming, subpar,
frustrating, second-rate, unreliable, sloppy, a letdown, careless, unpleasant, lacking,
inferior, substandard, dodgy, ugly, irritating, dubious, unimpressive, unsatisfactory,
not up to scratch, below average, amateurish, a bother, a hassle, a pain, a drawback, a
weak point, a problem, a pity, tacky, tatty, ropey, naff, iffy, sketchy, shabby, crummy,
grotty, rubbishy, feeble, botched, bungled, slapdash, half-baked, half-hearted,
ill-conceived, poorly made, poorly designed, badly made, badly thought out, badly
finished, thrown together, cobbled together, rushed, a step down, a downgrade, a
mistake, a flop, a dud, a miss, a lemon, worse than expected, worse than my old one,
worse than the pictures, misleading, deceptive, nothing like the pictures, nothing like
described, not as advertised, not as described, not what I ordered, not what I paid for,
not worth it, not worth the money, overpriced, overrated, overhyped, a swizz, a con job,
off-putting, unappealing, unattractive, uninspiring, joyless, lifeless, soulless,
characterless, forgettable, regrettable, lamentable, unfortunate, inadequate,
insufficient, deficient, defective, faulty, flawed, error-prone, inconsistent, patchy at
best, hit and miss, temperamental, glitchy, awkward, clumsy, fiddly, cumbersome,
tedious, tiresome, bothersome, troublesome, problematic, impractical, inconvenient,
ineffective, inefficient, pointless, plain nonsense, a gimmick, grim, bleak, dreary,
drab, cheap-looking, cheap and nasty, low-grade, bargain-bin, unprofessional,
untrustworthy, suspicious, messy, ragged, rough and ready, a chore, a headache, a
nuisance, stressful, upsetting, worrying, discouraging, a shame, unfit, unsound,
unwelcome, unsatisfying, undesirable, unhelpful, unhappy, unlovely, displeasing,
disagreeable, distasteful, dissatisfying, disheartening, dispiriting, demoralising,
depressing, dismaying, disconcerting, objectionable, questionable, doubtful, shaky,
wonky, janky, clunky overall, creaky, wobbly overall, rickety overall, duff, dud, pants,
crooked, cack-handed, ham-fisted, inept, incompetent, unskilled, negligent, lax,
slipshod, haphazard, chaotic, confused, muddled, jumbled, bodged, cut-price in every
sense, skimped on, neglected, outdated, antiquated, past its best, worn out already,
tired, stale, spoiled, tainted, marred, blemished, imperfect, impaired, broken, busted,
on its last legs, in poor shape, in a sorry state, of poor quality, of low quality, made
on the cheap, not built to last, built to fail, a bad call, a bad match, a bad surprise,
an unpleasant surprise, a setback, a sore point, a stumbling block, a liability, a
burden, a failure, a bore, a snag, a fault, a blunder, a misfire, a misstep, a sorry
sight, a sad story, a poor effort, a poor excuse, a poor imitation
""")
FAIR = _words("""
okay, fine, decent, alright, acceptable, adequate, passable, fair enough, satisfactory,
all right, serviceable, workable, respectable, sufficient, tolerable, good enough, fine
for the price, ok for now, decent for the money, so far so good, nothing to moan about,
not bad, not too bad, not half bad, perfectly okay, presentable, usable, liveable, up to
the job, no worse than others, as good as any, in order, quite all right
""")
SO_SO = _words("""
meh, so-so, nothing special, average at best, lacklustre, a little off, not ideal, not
great, not my favourite, not quite right, just about bearable, a touch dull, could be
better, below what I hoped, unremarkable, run of the mill, bland, middling, hardly
exciting, slightly off, a mixed bag, borderline, wanting, ho-hum, not quite there, a bit
of a letdown, barely acceptable, not really for me, underbaked
""")

LOVE_VERBS = _words("""
love, really like, adore, enjoy, appreciate, like, am impressed by, am pleased with, am
delighted with, am fond of, am a big fan of, am grateful for, am thrilled with, admire,
treasure, can't fault, can't complain about, can't praise enough, am in love with, have
no complaints about, rave about, swear by, am over the moon with, cherish, have only
good things to say about, am charmed by, got compliments for, trust, rate, would give
top marks for, am amazed by, take my hat off to, thank the makers for
""")
HATE_VERBS = _words("""
hate, really dislike, don't like, can't stand, regret, am disappointed by, am unhappy
with, am fed up with, am annoyed by, despise, detest, loathe, resent, am sick of,
complained about, am angry about, am frustrated with, struggle with, can't get used to,
have had nothing but trouble with, am furious about, am appalled by, am put off by,
curse, had to complain about, have serious doubts about, have lost patience with, have a
problem with, am let down by, lost sleep over, gave up on, am tired of, dread
""")

PEOPLE_LOVE = _words("""
loves {them}, adores {them}, is thrilled with {them}, can't get enough of {them}, swears
by {them}, is over the moon, keeps borrowing {them}, wants one too, was delighted, was
impressed, is a big fan, won't stop raving about {them}, lit up when {it} came, asked
where I got {them}, is jealous, ordered the same straight away, thanked me twice, was
speechless with joy, is obsessed with {them}, squealed with delight, approves, couldn't
stop smiling, gives {them} ten out of ten, calls {them} a godsend, now recommends {them}
to everyone, cried happy tears, begged me for the link
""")
PEOPLE_HATE = _words("""
hates {them}, can't stand {them}, was disappointed, refuses to use {them}, laughed at
{them}, complained about {them}, thinks I was ripped off, was horrified, gave up on
{them}, wants a refund, told me to send {them} back, is furious, burst into tears, was
embarrassed for me, calls {them} junk, can only shake a head, thinks {it} belong{s} in
the bin, won't go near {them}, called {them} a waste of money, was not impressed, hurt a
finger on {them}, warned me and was right, got a rash, begs me to get rid of {them},
couldn't hide the disappointment, pulled a face, still makes fun of me for buying {them}
""")

DOES_WELL = _words("""
work perfectly, do the job, work great, hold up beautifully, look great, feel sturdy,
exceed my expectations, work like a charm, make life easier, do exactly what I need,
last for ages, feel luxurious, look expensive, look even better in person, put a smile
on my face, save me so much time, never let me down, outperform pricier brands, tick all
the boxes, hit the spot, run like a dream, keep going strong, earn {them} a place in my
home, get compliments all the time, stand up to daily use, look brand new after {time},
make a great gift, feel like a million dollars, deliver on every promise, pass every
test, put the big brands to shame, brighten my day, work straight out of the box, live
up to the hype, fit like a glove, take a beating without complaint, give me peace of
mind, go above and beyond, blow the competition away, do wonders, work wonders, beat
anything I tried before, spoil me for anything else, make me feel special, shine,
impress every visitor, sail through anything, earn back the price, solve my problem,
turn heads, do what few others manage, keep impressing me, reward every penny, age
gracefully, come highly recommended from me, still work like new, get used every single
day
""")
DOES_BADLY = _words("""
fall apart, break easily, look cheap, feel flimsy, refuse to work, stop working after
{time}, let me down every time, fail to do the job, smell awful, give me a headache,
wear out fast, waste my time, drive me mad, end up in the bin, collect dust now, fail at
the basics, keep breaking, look nothing like the photo, get worse by the day, come apart
at the slightest touch, make me regret the purchase, cost far too much for this, need
replacing already, feel like a toy, disintegrate, embarrass the brand, cause more
problems than before, ruin the whole experience, test my patience, make me want to
scream, show wear after {time}, fall short on every count, leave a lot to be desired,
fall to bits, lose every comparison, hurt, malfunction constantly, disappoint again and
again, rattle, get on my nerves, sit unused in a drawer, give up at the worst moment,
look second-hand, belong in the trash, make no sense, go from bad to worse, conk out,
look worn after {time}, miss the mark, take the fun out of everything, frustrate me to
no end, crumble, scream cheap, make everything harder, hold up badly, come with missing
parts, die on me, flake, age terribly, look tired already, require constant repairs
""")
HAPPENED_GOOD = _words("""
{it} arrived early and well packed, {it} survived a drop down the stairs, I already
ordered another, I bought a second for my {friend}, I get asked about {them} all the
time, I've recommended {them} to all my friends, I haven't had a single problem, {it}
saved my weekend, I should have bought {them} years ago, I wish I'd found {them} sooner,
setup took two minutes and went without a hitch, {it} came sooner than promised, the
seller threw in a lovely note, my back has never felt better, I use {them} daily and
smile, {it} paid for {themselves} within {time}, the seller answered all my questions
kindly, {it} turned out better than I imagined, it was love at first sight, I've stopped
looking for alternatives, I was sold from day one, {it} made my whole month, even my
grumpy {friend} was won over, {it} rescued our holiday, I was pleasantly surprised, {it}
got a standing ovation at home, nothing has gone wrong in {time}, I slept like a baby,
no regrets whatsoever, {it} brought tears of joy, {it} passed the toddler test, everyone
at work noticed and complimented me, the gift was a huge success, {it} cheered me right
up, we use {them} at every opportunity, the whole family is happy, {it} made a
difference right away, I feel spoiled, what a relief to find something that works, I'd
buy from this seller any day, a replacement came free and fast, I can finally relax
""")
HAPPENED_BAD = _words("""
I returned {them} the same day, {it} arrived broken, {it} fell to bits within {time}, I
had to throw {them} out, {it} came dirty and scratched, parts were missing, I asked for
a refund, {it} died after {time}, I'm still waiting for my refund, the seller ignored my
emails, {it} gave me a rash, I got the wrong size twice, {it} ruined my weekend, the box
looked like it had been kicked, {it} leaked everywhere, I cut my finger on {them}, {it}
snapped in my hands, I ended up fixing {them} with tape, {it} {was} obviously used
before, I could have cried, I felt cheated, {it} broke on the first day, I had to buy
something else in the end, support hung up on me, nobody answers complaints, {it}
spoiled the birthday, {it} nearly caught fire, my {friend} had to repair {them} twice, I
wasted a whole evening on {them}, I'm out of pocket and angry, it was a fight to get my
money back, {it} stained everything, we all regretted it, {it} gave up the ghost, I was
lied to, the replacement was just as faulty, {it} went to the dump, I've learned my
lesson, it went downhill after {time}, I never got what I paid for, the gift was a huge
embarrassment, {it} made me ill, {it} hurt so much I gave up, my hands were sore for
days, I had to apologise for giving {them} as a present, the whole family complains,
{it} caused nothing but stress, I'm done with this seller, {it} arrived late and
damaged, the pictures tricked me, I opened the box and my heart sank
""")

OF_THINGS = frozenset(
    _words("""
well made, a treat, sleek, graceful, premium, polished, beautifully finished, better
than the pictures, quality stuff, well crafted, well designed, attractive, eye-catching,
a little luxury, flattering, user-friendly, a work of art, jaw-dropping, breathtaking,
gorgeous, beautiful, fit for royalty, fit for a queen, state of the art, pure luxury,
hideous, an eyesore, dead on arrival, unusable, garbage, trash, junk, rotten, putrid,
fit for the bin, pure landfill, hot garbage, dangerous, a death trap, a health hazard,
grotesque, a monstrosity, beyond repair, ugly, tacky, tatty, grotty, poorly made, poorly
designed, badly made, badly finished, worse than the pictures, nothing like the
pictures, cheap-looking, cheap and nasty, low-grade, bargain-bin, defective, faulty,
error-prone, temperamental, glitchy, cumbersome, fiddly, ragged, a gimmick, thrown
together, cobbled together, not what I ordered, a dud, a lemon, overpriced, worth the
money, worth every penny, not worth the money, easy to live with, rough and ready,
stunning, divine, exquisite, sleek, tasteful, to my taste, cool, presentable, liveable,
usable, high-grade, first-rate, enchanting, a masterpiece, a marvel
""")
)
"""Words that do not go with a delivery, a price or a service."""
