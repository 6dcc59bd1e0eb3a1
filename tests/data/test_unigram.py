"""A tokenizer laid out as XLM-R's: ids, case, apostrophes, emoji, very short texts."""

import numpy as np
import pytest

from reviewintent_jax.data.clean import Cleaner, CleanSpec, Spelling, Stemming
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.data.unigram import UnigramSpec, train_unigram
from reviewintent_jax.schema import InputError

TEXTS = [
    "Чудовий магазин, раджу всім! Об'єктив прийшов за 2 дні 👍",
    "Жахливе обслуговування. Не рекомендую, п'ять разів дзвонив...",
    "Очень плохо, товар не работает, деньги не вернули 😡",
    "супер", "Ok", "Норм", "Все супер! Дякую, зв'язок чудовий 👍👍",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unigram")
    learned = train_unigram(TEXTS * 5, UnigramSpec(180, 6, 0.75))
    learned.save(str(folder / "tokenizer.json"))
    return ReviewTokenizer(folder)


def test_special_tokens_have_the_ids_of_xlm_roberta(tokenizer):
    assert tokenizer.special == (0, 2, 1)
    assert tokenizer.id_of("<unk>") == 3
    assert tokenizer.mask_id == tokenizer.vocab_size - 1 == tokenizer.id_of("<mask>")
    assert tokenizer.vocab_size <= 180
    assert {0, 1, 2, 3, tokenizer.mask_id}.isdisjoint(tokenizer.replacement_ids())


def test_no_piece_is_longer_than_allowed(tokenizer):
    ids = np.concatenate(tokenizer.encode(TEXTS))
    names = [tokenizer.pieces()[i] for i in ids]
    assert max(map(len, names)) <= 6
    assert any("'" in name for name in names)


def test_case_is_kept(tokenizer):
    upper, lower = tokenizer.encode(["Супер", "супер"])
    assert upper.tolist() != lower.tolist()


@pytest.mark.parametrize("text", TEXTS)
def test_known_text_has_no_unknown_piece_and_comes_back(tokenizer, text):
    (ids,) = tokenizer.encode([text])
    assert 3 not in ids
    joined = "".join(tokenizer.pieces()[i] for i in ids)
    assert joined.replace("▁", " ").strip() == text


def test_unseen_characters_are_unknown_and_nothing_is_lost_around_them(tokenizer):
    ids = tokenizer.encode(["супер 日 супер"])[0].tolist()
    word = tokenizer.encode(["супер"])[0].tolist()
    assert 3 in ids
    assert ids[: len(word)] == word
    assert ids[-len(word) :] == word


def test_the_three_apostrophes_are_one_after_cleaning(tokenizer):
    plain = CleanSpec(True, True, Spelling.OFF, Stemming.OFF, ())
    clean = Cleaner(plain)
    ways = [clean(f"п{apostrophe}ять об{apostrophe}єктив") for apostrophe in "'’ʼ"]
    assert ways == ["п'ять об'єктив"] * 3
    first, *others = (ids.tolist() for ids in tokenizer.encode(ways))
    assert 3 not in first
    assert others == [first, first]


def test_texts_without_a_piece_are_refused():
    with pytest.raises(InputError, match="No tokenizer could be learned"):
        train_unigram(["", " "], UnigramSpec(100, 6, 0.75))


@pytest.mark.parametrize("wrong", [(10, 6, 0.5), (100, 0, 0.5), (100, 6, 1.0)])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match="tokenizer"):
        UnigramSpec(*wrong)
