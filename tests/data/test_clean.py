import builtins
import pickle
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import clean
from reviewintent_jax.data.clean import Cleaner, CleanSpec, Spelling, Stemming
from reviewintent_jax.schema import InputError


def make(**changes) -> Cleaner:
    fields = {
        "html": True,
        "mojibake": True,
        "spelling": Spelling.OFF,
        "stemming": Stemming.OFF,
        "drop_words": (),
    }
    return Cleaner(CleanSpec(**(fields | changes)))


CLEAN = make()

# pieces that markup, entities, mojibake and invisible characters are made of
PIECES_TEXT = (
    "< > <b> </b> <br/> <p <script> </script> <!-- --> & &amp; amp; &lt; lt; &gt; "
    "&nbsp; &#60; Ã© â€“ Ã\xa0 ï¬ ﬁ ＜ ＞ ＆ ’ “ \x00 \x1b[31m \x85 \u200b \u200d "
    "\ufeff \ud83d \ude00 \u0301 e é б п р и в і т розгорнути 👩 😀 \n \t a b 3 ; / = "
    "\" '"
)
PIECES = st.sampled_from(PIECES_TEXT.split(" "))
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=80),  # lone surrogates included
    st.lists(PIECES, max_size=25).map("".join),
    st.lists(PIECES, max_size=25).map(" ".join),
)


@pytest.mark.parametrize(
    "text",
    [
        "I <3 it",
        "5 < 6 > 3",
        "a<b",
        "a<b and c>d",
        "is x <b or not",
        "<user> said <url> <?> <!>",
        "AT&T, this&not that",
        "love <!-- it",
        "👩\u200d💻 ❤️",
        "می\u200cخواهم",
        "हिन्दी में",
        "Їжак – “не”".replace("“", '"').replace("”", '"'),
    ],
)
def test_what_only_looks_like_noise_survives(text):
    assert CLEAN(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one<br>two<BR />three", "one two three"),
        ("<p class='a b' id=x>Hi <b>bo</b>ld</p><p>new", "Hi bold new"),
        ('<a href="http://x/?a=1&b=2" rel=nofollow disabled>link</a>', "link"),
        ("ok<script type='a'>if (a<b) {evil()}</script> fine", "ok fine"),
        ("<STYLE>p {color: red}</Style>red", "red"),
        ("<script>unclosed, so it stays", "unclosed, so it stays"),
        ("a<!-- hidden <b> -->b", "a b"),
        ("<!DOCTYPE html>text", "text"),
        ("<<b>b>nested", "nested"),
        ("&lt;b&gt;escaped tag&lt;/b&gt;", "escaped tag"),
        ("5 &gt; 3 &amp;amp;amp; true", "5 > 3 & true"),
        ("caf&eacute;&nbsp;&#x2019;s", "café 's"),
    ],
)
def test_markup_goes(text, expected):
    assert CLEAN(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafÃ© â€“ voilÃ\xa0", "café – voilà"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
        ("cafe\u0301", "café"),
        ("a\x00b\x07c\x7f", "abc"),
        ("\ufefffo\u200bo \u202ebar\u202c so\u00adft", "foo bar soft"),
        ("z\u200de\u200dr\u200co", "zero"),
        ("\ud83d\ude00 \ud800lone\udfff", "😀 lone"),
        ("gone\ufffd", "gone"),
        (" \t a \r\n b\u2028c\u3000d\x0be\x1ff ", "a b c d e f"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("don’t ﬁx ＬＯＵＤ", "don't fix LOUD"),
        ("Tout MAJUSCULE", "Tout MAJUSCULE"),
        ("", ""),
        (" \u200b\n", ""),
    ],
)
def test_characters_are_repaired(text, expected):
    assert CLEAN(text) == expected


def test_html_and_mojibake_can_be_left_alone():
    text = "<b>cafÃ©</b> &amp; more"
    assert make(html=False)(text) == "<b>café</b> &amp; more"
    assert make(mojibake=False)(text) == "cafÃ© & more"
    assert make(html=False, mojibake=False)("a <br>\tb") == "a <br> b"


def test_page_words_go_as_whole_words_in_any_case():
    drop = make(drop_words=("розгорнути", "згорнути", "read more"))
    text = "Гарно Розгорнути, розгорнутий. Read More READ  MORE ok ЗГОРНУТИ"
    assert drop(text) == "Гарно , розгорнутий. ok"
    assert drop("plain ascii read more") == "plain ascii"


@settings(deadline=None, max_examples=400)
@given(TEXTS)
def test_cleaning_twice_is_cleaning_once(text):
    once = CLEAN(text)
    assert CLEAN(once) == once
    once.encode("utf-8")


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_cleaning_twice_is_cleaning_once_with_every_option(text):
    every = make(
        spelling=Spelling.ENGLISH,
        stemming=Stemming.ENGLISH,
        drop_words=("розгорнути", "b", "a b"),
    )
    once = every(text)
    assert every(once) == once


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=60))
def test_the_fast_path_changes_nothing_but_speed(text):
    """The same text behind a letter that bars the fast path comes out the same."""
    slow = CLEAN("é " + text)
    assert slow == ("é " + CLEAN(text)).strip()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.from_regex(r"[A-Za-z]{1,12}", fullmatch=True), max_size=8))
def test_spelling_and_stemming_are_idempotent(words):
    both = make(spelling=Spelling.ENGLISH, stemming=Stemming.ENGLISH)
    once = both(" ".join(words))
    assert both(once) == once


def test_spelling_corrects_words_and_keeps_their_case():
    speller = make(spelling=Spelling.ENGLISH)
    assert speller("Terible qualty, didn't fit, xqzzvvk") == (
        "Terrible quality, didn't fit, xqzzvvk"
    )


def test_stemming_cuts_words_and_keeps_their_case():
    assert make(stemming=Stemming.ENGLISH)("Loving IT, dresses") == "Love IT, dress"


@pytest.mark.parametrize("field", ["spelling", "stemming"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, field):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] in ("symspellpy", "snowballstemmer"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    clean._speller.cache_clear()
    clean._stemmer.cache_clear()
    monkeypatch.setattr(clean.importlib, "import_module", refuse)
    choice = Spelling.ENGLISH if field == "spelling" else Stemming.ENGLISH
    with pytest.raises(InputError, match=r"reviewintent_jax\[text\]"):
        make(**{field: choice})


def test_an_empty_word_to_drop_is_refused():
    with pytest.raises(InputError, match="empty"):
        make(drop_words=("ok", " "))


def test_a_cleaner_survives_pickling():
    copy = pickle.loads(pickle.dumps(make(drop_words=("x",))))
    assert copy("a x b") == "a b"


HOSTILE = {
    "ampersands": "&" + "amp;" * 25_000 + "lt;",
    "nested tags": "<" * 33_000 + "b>" * 33_000,
    "open scripts": "</script>" + "<script>" * 12_000,
    "open comments": "<!--" * 25_000,
    "attributes": "<b" + " a=1" * 25_000,
    "open tags": "<b a=1" * 16_000,
    "mojibake": "cafÃ© " * 16_000,
    "nested entities": "&amp;lt;" * 12_000,
    "spaces in a tag": "<b" + " " * 100_000,
    "joiners": "a\u200d" * 50_000,
    "escapes": "\x1b[" + "1;" * 50_000,
    "spelling of one word": "a" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_of_100_kb_take_no_longer_than_others(name):
    begin = time.perf_counter()
    once = CLEAN(HOSTILE[name])
    assert CLEAN(once) == once
    assert time.perf_counter() - begin < 5.0  # quadratic behaviour takes minutes


def test_plain_text_takes_the_fast_path():
    text = ("This tea is really great, but the box leaks. " * 7)[:300]
    begin = time.perf_counter()
    for _ in range(3000):
        CLEAN(text)
    assert 3000 / (time.perf_counter() - begin) > 15_000


def test_real_reviews_come_out_clean_once(shared_data):
    texts = pd.read_csv(shared_data / "ukrainian_shop/reviews.csv.gz")["text"]
    drop = make(drop_words=("розгорнути", "згорнути"))
    for text in texts.dropna().iloc[:300]:
        once = drop(text)
        assert "розгорнути" not in once.lower().split()
        assert drop(once) == once
