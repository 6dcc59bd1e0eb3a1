"""Whole sentences that sum a purchase up, from damning to delighted.

Separated by bars, roughly from the most to the least common; the names in braces are
those of ``bazaar_wording.item_names``.
"""


def _sentences(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("|") if part.strip())


CONDEMN = _sentences("""
waste of money | do not buy | never again | total junk | worst {item} ever | save your
money | avoid at all costs | complete rubbish | zero stars if I could | I want my money
back | straight in the bin | such a rip-off | I'm livid | the worst purchase of my life
| I feel robbed | what a disgrace | run away from {this_item} | I regret every cent |
daylight robbery | they should be ashamed of selling {this_item} | I'm absolutely fuming
| this should be illegal | I wouldn't give {them} to my worst enemy | not worth a penny
| I'd rather set fire to my money | I have never been so angry about {a_item} | whoever
designed {this_item} should be fired | nobody deserves {this_item} | my blood is boiling
| what an absolute shambles | steer well clear | I've reported the seller | an insult to
customers | I wouldn't take {them} for free | shame on this company | heartbroken and
furious | I can't warn you enough | even the bin is too good for {this_item} | disgusted
beyond words | consider yourself warned and run | beyond angry | shop anywhere but here
| biggest regret of the year | I wasted my savings | hands down the worst {item} I have
owned | my biggest disappointment in years | please take {this_item} off the market |
minus five stars | I threw {them} out of the window | criminals, all of them | I'm lost
for words, and not kind ones
""")
REJECT = _sentences("""
would not buy again | not happy | I'm disappointed | don't recommend | returned | sent
back | not worth the money | I expected better quality | unhappy with {this_item} |
going back | I asked for a refund | wouldn't recommend {them} to anyone | very
dissatisfied | not impressed | look elsewhere | buyer beware | I feel let down | spend a
little more on another brand | my old {item} was better | this one didn't work for us |
lesson learned | sadly a bad buy | I should have read the reviews | returning
{this_item} tomorrow | I've gone back to my old {item} | sorely disappointed | not what
I hoped for | it was a mistake to order {this_item} | {this_item} {is_item} not for
keeps | you get what you pay for, which is little | don't be fooled by the photos |
think twice before you buy | I'll be looking for another brand | we ended up replacing
{them} | no good | can't recommend {this_item} | I wish I had kept the receipt | skip
{this_item} | hard pass | I'll take my business elsewhere | it's a no from me | I regret
this order | rather disheartened | all show and no substance | one to avoid | I'm
kicking myself for buying {them} | didn't live up to the promises | left with buyer's
remorse | not good enough | {this_item} failed us | I'd pick something else next time |
it's back to the shops for me | our trust is gone | I gave {them} away | cheap and it
shows | I'm cross with myself | poor show | one star from me | the search for {a_item}
goes on
""")
DOUBT = _sentences("""
I expected more | could be better | a bit disappointed | I've had better {item_s} | not
sure I'd buy again | nothing to write home about | on the fence, leaning towards no | I
probably won't reorder | slightly let down | it left me cold | there must be better
{item_s} | two and a half stars | maybe it's just me, but I'm not convinced | not quite
what I was after | I hoped for a bit more | I may return {them}, not decided | room for
improvement | not bad enough to return, not good enough to love | I'm in two minds,
mostly doubtful | only buy {this_item} on sale | a little underwhelmed | I'd think about
it first next time | it fell a bit short | my enthusiasm has cooled
""")
ACCEPT = _sentences("""
good enough | does the job | decent for the price | no major complaints | fine for what
I paid | on the whole satisfied | I would probably buy again | on the fence, leaning
towards yes | not perfect, but I'm keeping {them} | three and a half stars | I've had
worse {item_s} | it will do | reasonably happy | fairly content | I've no strong
feelings, but {it} {is_item} okay | you could do worse | happy enough | no reason to
return {them} | it does what it should, more or less | I'm warming to {them} | solid if
unexciting | can live with {them} | on balance a yes | pretty okay
""")
PRAISE = _sentences("""
would buy again | very happy | I recommend {this_item} | good buy | well worth the money
| happy customer | I'm pleased | glad I bought {them} | great value | can't complain |
five stars from me | keeping {them} | money well spent | I'd recommend {them} to a
friend | does what it says | look no further | very satisfied | my old {item} was worse
in every way | I'm impressed | a good choice | we like {them} a lot | happy with
{this_item} | so pleased with my order | I'll be back for more | {this_item} {is_item}
here to stay | no regrets | glad I gave {them} a chance | exceeded what I hoped for | it
was the right decision | you get a lot for your money | would order from here again |
I'm a happy camper | well done to the makers | my search is over | the family approves |
thumbs up all round | {this_item} made my life easier | chuffed with {this_item} | it
ticks the boxes | don't hesitate | I'm glad I listened to the recommendations | smart
purchase | count me among the fans | highly satisfied | I've told my neighbours about
{them} | a sensible buy | it's a yes from me | would happily give {them} as a gift |
thank you, seller | we're sold | I'm converted | makes a fine present | {this_item}
earned a place in our home | it lived up to the promises | nothing but good experiences
| pleased as punch | trust the good reviews | I smile when I use {them} | so glad I
switched | solid buy
""")
ACCLAIM = _sentences("""
best purchase ever | love love love | best {item} ever | I couldn't be happier | highly,
highly recommended | absolutely in love | six stars if I could | everyone should own
{a_item} like this | buy {them}, you won't regret it | I'm thrilled | best money I ever
spent | worth ten times the price | I can't praise {them} enough | I'm over the moon |
life changing | a must have | I'd buy {them} again in a heartbeat | I'm obsessed | I
could kiss the person who made {this_item} | my favourite thing in the house | I'd be
lost without {them} | over the moon with {this_item} | I'm ecstatic | run, don't walk,
to get {them} | I'd marry {this_item} if I could | I can't imagine life without {them} |
you need {this_item} in your life | worth every penny and then some | I've bought three
more | I'm in heaven | my best find in years | I will never use another brand | hats off
to the genius behind {this_item} | nothing else comes close | I'd give {them} a hundred
stars | I tell everybody I meet about {them} | beyond happy | hands down the best {item}
I have owned | a million thank yous | if you're hesitating, just order | I'm still
grinning | I'd save {them} from a burning house | best gift I ever got | where have {it}
been all my life | this company deserves a medal | I'm speechless, so happy | we are
head over heels | treat yourself today | it made my year | an unreserved yes |
perfection at last | take my money, all of it
""")
