"""Stage 3, cleaned: text -> text without mojibake, HTML and invisible characters.

Cleaning is a function of the text alone, deterministic and idempotent: a text that was
cleaned twice, or cleaned before it was saved, is the text the model was trained on.
Case is left to the tokenizer, which knows what its encoder expects.
"""

import dataclasses
import enum
import functools
import importlib
import importlib.resources
import re
import unicodedata
from collections.abc import Callable, Iterable
from types import ModuleType

import ftfy
from ftfy import fixes
from ftfy.badness import is_bad

from reviewintent_jax.schema import InputError

_PATIENCE = 8  # passes before text that still changes loses its "<" and "&"

_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp"
    "|small|span|strike|strong|sub|sup|tt|u|var"
)
_BLOCK = (
    "address|article|aside|blockquote|body|br|button|caption|center|col|colgroup|dd"
    "|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html"
    "|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|pre|section|select"
    "|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul|video"
)
_ATTRIBUTE = r"""\s[\s/]*+(?:
    [a-z_:@][-\w:.@]*+ \s*+ = \s*+ (?: "[^"<>]*+" | '[^'<>]*+' | [^\s"'<>=`]++ )
    | checked | controls | disabled | hidden | noshade | nowrap | selected )"""
_MARKUP = re.compile(
    rf"""<!--
    | <!doctype [^<>]*+ >
    | < (?P<close>/?)
      (?: (?P<inline>{_INLINE}) | (?P<block>{_BLOCK}) | (?P<hidden>script|style) )
      (?:{_ATTRIBUTE})*+ [\s/]*+ >""",
    re.IGNORECASE | re.VERBOSE,
)

# &amp;amp;lt; and its like, decoded at one go however often they were encoded
_AMPERSANDS = re.compile(r"&(?:amp;|#0{0,4}38;|#x0{0,4}26;)+", re.IGNORECASE)

# Escapes, C1 controls and surrogates need all of ftfy; curly quotes, ligatures and
# full-width letters only three quick steps of it.
_WORK_FOR_FTFY = re.compile("[\x1b\x80-\x9f\ud800-\udfff]")
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,24};")
_QUICK_WORK = re.compile(
    "[\u02bc\u2018-\u201f\u3000\ufb00-\ufb06\uff01-\uffef"
    "\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3]"
)

# Controls, bidi marks and zero-width characters; as BERT's own cleaning, U+FFFD too.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
    # joiners mean something in emoji and in Persian or Indic words, nowhere else
    "|(?<![^\x00-\u02ff\\s])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u02ff\\s])"
)

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*+")


class Spelling(enum.StrEnum):
    """Whether misspelt words are corrected: hurts a sub-word encoder, so off."""

    OFF = "off"
    ENGLISH = "english"


class Stemming(enum.StrEnum):
    """Whether words are cut to their stems: hurts a sub-word encoder, so off."""

    OFF = "off"
    ENGLISH = "english"


@dataclasses.dataclass(frozen=True)
class CleanSpec:
    """How texts are cleaned. Invisible characters, white space and NFC are always done.

    Attributes:
      html: remove HTML tags, comments, scripts and styles, and decode entities.
      mojibake: repair garbled encodings (``cafÃ©`` -> ``café``) with ftfy.
      spelling: correct words of four letters or more.
      stemming: cut words to their stems, after spelling.
      drop_words: words of the page, not of the reviewer (``розгорнути``), removed where
        they stand as whole words, in any case.
    """

    html: bool
    mojibake: bool
    spelling: Spelling
    stemming: Stemming
    drop_words: tuple[str, ...]

    def __post_init__(self):
        if not all(word.strip() for word in self.drop_words):
            raise InputError(
                "A word to drop is empty.",
                where="field clean.drop_words",
                fix="Give whole words, or leave the list empty.",
            )


class Cleaner:
    """Cleans texts; see ``CleanSpec`` for what is done.

    Example: ``"Great&nbsp;tea<br>I <3 it â€“ now"`` -> ``"Great tea I <3 it – now"``

    Cleaners can be pickled, so that a pool of processes may share the work.

    Raises:
      InputError: spelling or stemming is on and its library is not installed.
    """

    def __init__(self, spec: CleanSpec):
        self.spec = spec
        self._drop = _drop_pattern(spec.drop_words)
        self._words = _word_repairs(spec)
        self._fixes = ftfy.TextFixerConfig(
            unescape_html=spec.html,
            fix_encoding=spec.mojibake,
            fix_c1_controls=spec.mojibake,
            remove_control_chars=False,  # below, together with the zero-width ones
            explain=False,
        )

    def __reduce__(self):
        return Cleaner, (self.spec,)

    def __call__(self, text: str) -> str:
        """The cleaned text; may be empty. Never raises, whatever the text holds."""
        text = " ".join(text.split()) if text.isascii() else text
        if self._is_plain(text):
            return text
        # One repair may uncover another (&lt;b&gt; becomes <b>, then nothing). So the
        # passes go on until the text stands still, or goes round in a circle, whose
        # least text we take: both make cleaning idempotent.
        seen: list[str] = []
        while text not in seen:
            seen.append(text)
            if self.spec.html and len(seen) > _PATIENCE:
                text = text.replace("<", " ").replace("&", " ")
            text = self._clean_once(text)
            if self._is_plain(text):
                return text
        return min(seen[seen.index(text) :])

    def _is_plain(self, text: str) -> bool:
        """Whether ``text`` (white space folded) surely needs nothing: the fast path."""
        return (
            text.isascii()
            and text.isprintable()
            and self._drop is None
            and not self._words
            and not (self.spec.html and _has_html(text))
        )

    def _clean_once(self, text: str) -> str:
        if self.spec.html and "<" in text:
            text = _strip_markup(text)
        if self.spec.html and "&" in text:
            text = _AMPERSANDS.sub("&", text)
        text = self._repair_characters(text)
        if self._drop is not None:
            text = self._drop.sub(" ", text)
        if self._words:
            text = _WORD.sub(lambda found: self._repair_word(found[0]), text)
        return " ".join(text.split())

    def _repair_characters(self, text: str) -> str:
        if (
            _WORK_FOR_FTFY.search(text)
            or (self.spec.html and _ENTITY.search(text))
            or (self.spec.mojibake and is_bad(text))
        ):
            text = ftfy.fix_text(text, self._fixes)
        elif _QUICK_WORK.search(text):
            text = fixes.uncurl_quotes(text)
            text = fixes.fix_character_width(fixes.fix_latin_ligatures(text))
        return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))

    def _repair_word(self, word: str) -> str:
        for repair in self._words:
            word = repair(word)
        return word


def _has_html(text: str) -> bool:
    """Whether there is a tag to remove or an entity to decode."""
    return ("<" in text and _MARKUP.search(text) is not None) or (
        "&" in text and _ENTITY.search(text) is not None
    )


def _strip_markup(text: str) -> str:
    """Removes HTML and nothing that merely looks like it.

    Only tags that exist, with attributes as HTML writes them, are markup: ``I <3 it``,
    ``a<b and c>d``, ``<user>`` and an unfinished ``<b`` stay as they are. (Python's
    ``html.parser`` drops or keeps these depending on its patch release, so that a model
    would read one text in training and another in service.) Inline tags vanish, block
    tags become a space, scripts, styles and comments go with what they hold, unless
    nothing closes them. Takes time proportional to the length.
    """
    kept: list[str] = []
    start, unclosed = 0, set()
    while found := _MARKUP.search(text, start):
        kept += (text[start : found.start()], "" if found["inline"] else " ")
        start = found.end()
        opens = (found["hidden"] or "").lower() if not found["close"] else ""
        opens = "<!--" if found[0] == "<!--" else opens
        if opens and opens not in unclosed:
            closed = _closing(opens).search(text, start)
            unclosed |= set() if closed else {opens}
            start = closed.end() if closed else start
        if opens == "<!--" and opens in unclosed:
            kept[-1] = opens
    return "".join([*kept, text[start:]])


@functools.cache
def _closing(tag: str) -> re.Pattern[str]:
    """What ends a comment, a script or a style."""
    return re.compile("-->" if tag == "<!--" else rf"</{tag}\s*+>", re.IGNORECASE)


def _drop_pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """Matches any of the words, longest first, where it stands alone."""
    folded = {unicodedata.normalize("NFC", " ".join(word.split())) for word in words}
    longest_first = sorted(folded, key=lambda word: (-len(word), word))
    if not folded:
        return None
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def _word_repairs(spec: CleanSpec) -> list[Callable[[str], str]]:
    """What is done to every single word, in order."""
    repairs = []
    if spec.spelling is Spelling.ENGLISH:
        repairs.append(_speller())
    if spec.stemming is Stemming.ENGLISH:
        repairs.append(_stemmer())
    return repairs


@functools.cache
def _speller() -> Callable[[str], str]:
    """The nearest English word within two edits; unknown words stay."""
    symspellpy = _text_extra("symspellpy", "clean.spelling")
    speller = symspellpy.SymSpell(max_dictionary_edit_distance=2, prefix_length=7)
    words = "frequency_dictionary_en_82_765.txt"
    with importlib.resources.as_file(importlib.resources.files(symspellpy)) as folder:
        speller.load_dictionary(folder / words, term_index=0, count_index=1)

    @functools.lru_cache(maxsize=1 << 17)
    def correct(word: str) -> str:
        if not 4 <= len(word) <= 40 or not (word.isascii() and word.isalpha()):
            return word
        found = speller.lookup(
            word, symspellpy.Verbosity.TOP, max_edit_distance=2, transfer_casing=True
        )
        return found[0].term if found else word

    return correct


@functools.cache
def _stemmer() -> Callable[[str], str]:
    """The Snowball stem, written in the case of the word."""
    library = _text_extra("snowballstemmer", "clean.stemming")
    stemmer = library.stemmer("english")

    @functools.lru_cache(maxsize=1 << 17)
    def stem(word: str) -> str:
        stemmed = stemmer.stemWord(word.lower())
        if word.isupper() and len(word) > 1:
            return stemmed.upper()
        return stemmed.capitalize() if word[:1].isupper() else stemmed

    return stem


def _text_extra(module: str, field: str) -> ModuleType:
    """Imports an optional library, or says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{field} needs the library {module}, which is not installed.",
            where=f"field {field}",
            fix="Run: pip install reviewintent_jax[text]   or set the field to off.",
        ) from error
