"""Tokens become whole words, and words become ids."""

import numpy as np
import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    empty_pages,
    plan_pages,
    slot_lengths,
)
from reviewintent_jax.data.tokens import ReviewTokenizer, SpecialIds, TokenList
from reviewintent_jax.data.words import (
    UNKNOWN,
    Vocabulary,
    WordLookup,
    WordSplitter,
    fit_vocabulary,
)
from reviewintent_jax.schema import InputError

PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##pot", "##s", ",", "leak", "'", "t"),
    *("don", "!", "Tea"),
]


@pytest.fixture
def tokenizer(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    return ReviewTokenizer(tmp_path)


def ids(*pieces):
    return np.array([PIECES.index(piece) for piece in pieces], np.int32)


def spelt(tokenizer, tokens):
    split = WordSplitter(tokenizer)
    return [split.spell(word.tolist()) for word in split(tokens)]


def test_pieces_are_put_together_and_marks_stand_alone(tokenizer):
    (tokens,) = tokenizer.encode(["Teapots, don't leak!"])
    assert [PIECES[i] for i in tokens][:3] == ["Tea", "##pot", "##s"]
    wanted = ["teapots", ",", "don", "'", "t", "leak", "!"]
    assert spelt(tokenizer, tokens) == wanted


def test_a_review_may_begin_within_a_word_or_be_empty(tokenizer):
    """As deletion in training leaves them."""
    assert spelt(tokenizer, ids("##s", "leak", ",", "##s")) == ["s", "leak", ",", "s"]
    assert spelt(tokenizer, ids()) == []


def sentencepiece_folder(folder):
    """A tokenizer that marks beginnings, as XLM-R's does."""
    names = ["<pad>", "<unk>", "<s>", "</s>", "▁чай", "ник", ",", "▁теч", "е", "'", "▁"]
    model = WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>")
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    made.save(str(folder / "tokenizer.json"))
    return names


def test_beginnings_may_be_marked_in_the_place_of_the_rest(tmp_path):
    names = sentencepiece_folder(tmp_path)
    tokens = [names.index(n) for n in ("▁чай", "ник", ",", "▁теч", "е", "'", "е")]
    found = spelt(ReviewTokenizer(tmp_path), np.array(tokens, np.int32))
    assert found == ["чайник", ",", "тече", "'", "е"]


REVIEWS = [
    ids("tea", "##s", ",", "leak"),
    ids("tea", "leak", "leak", "[UNK]"),
    ids("Tea", "[UNK]", "[UNK]", "##pot"),
]


def test_the_vocabulary_is_counted_on_the_reviews_it_is_given(tokenizer):
    store = TokenList(REVIEWS)
    all_of_them = np.arange(3)
    words = fit_vocabulary(store, all_of_them, tokenizer, most=9, min_count=1).words
    # "tea" is written in two ways; [UNK] is no word, "[UNK]pot" is what was written.
    assert words == ("", "leak", "tea", ",", "[unk]pot", "teas")
    few = fit_vocabulary(store, all_of_them, tokenizer, most=1, min_count=1)
    assert few.words == ("", "leak")
    frequent = fit_vocabulary(store, all_of_them, tokenizer, most=9, min_count=2)
    assert frequent.words == ("", "leak", "tea")
    first = fit_vocabulary(store, np.array([0]), tokenizer, most=9, min_count=1)
    assert first.words == ("", ",", "leak", "teas")
    with pytest.raises(InputError, match="No word stands 5 times"):
        fit_vocabulary(store, all_of_them, tokenizer, most=9, min_count=5)


def test_ids_are_those_of_the_vocabulary(tokenizer):
    lookup = WordLookup(tokenizer, Vocabulary(["", "leak", "teas"]))
    for _ in range(2):  # from memory the second time
        found = lookup(REVIEWS[0])
        assert found.dtype == np.int32
        assert found.tolist() == [2, UNKNOWN, 1]
    assert lookup(ids()).tolist() == []


def test_a_vocabulary_is_kept_and_a_lost_one_is_told(tmp_path):
    path = tmp_path / "words.json"
    Vocabulary(["", "thé", "leak"]).save(path)
    again = Vocabulary.load(path)
    assert (again.words, again.id_of("thé"), again.id_of("")) == (
        ("", "thé", "leak"),
        *(1, UNKNOWN),
    )
    assert again.sha256() != Vocabulary(["", "leak", "thé"]).sha256()
    path.write_text("{")
    with pytest.raises(InputError, match="words of the run cannot be read"):
        Vocabulary.load(path)
    with pytest.raises(InputError, match="words of the run cannot be read"):
        Vocabulary.load(tmp_path / "none.json")


def test_words_lie_where_the_tokens_of_their_review_begin(tokenizer):
    spec = PageSpec(page_tokens=12, chunk_tokens=6, max_tokens=12, slots=3)
    reviews = [ids("tea", "##s", ",", "leak", "tea"), ids("leak", "##s")]
    lengths = slot_lengths(np.array([5, 2]), spec).slot_n
    plan = plan_pages(np.arange(2), lengths, spec)
    lookup = WordLookup(tokenizer, Vocabulary(["", "leak", "teas", "tea"]))
    page = build_pages(
        plan,
        range(plan.pages),
        reviews.__getitem__,
        ReviewFields(np.zeros(2, int), np.ones(2)),
        SpecialIds(2, 3, 0),
        spec,
        size=plan.pages,
        words_of=lookup,
    )
    for review, wanted in enumerate(([2, 0, 1, 3], [0])):
        b, k = np.argwhere(page.review_bk == review)[0]
        start, count = page.slot_start_bk[b, k], page.words.word_length_bk[b, k]
        assert count == len(wanted)
        found = page.words.word_ids_bt[b, start : start + count]
        assert found.tolist() == wanted
    assert (page.words.word_ids_bt >= 0).sum() == 5
    assert empty_pages(1, SpecialIds(2, 3, 0), spec).words is None


def test_words_of_what_is_cut_are_not_read(tokenizer):
    spec = PageSpec(page_tokens=6, chunk_tokens=6, max_tokens=5, slots=1)
    plan = plan_pages(np.arange(1), slot_lengths(np.array([4]), spec).slot_n, spec)
    lookup = WordLookup(tokenizer, Vocabulary(["", "leak", "teas"]))
    page = build_pages(
        *(plan, [0], [REVIEWS[0]].__getitem__),
        *(ReviewFields(np.zeros(1, int), np.ones(1)), SpecialIds(2, 3, 0), spec),
        size=1,
        words_of=lookup,
    )
    assert page.words.word_ids_bt[0].tolist() == [2, 0, -1, -1, -1, -1]
    assert page.words.word_length_bk.tolist() == [[2]]
