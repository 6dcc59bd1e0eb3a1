"""Token ids on disk: what was written is read, in any order, and damage is named."""

import hashlib

import numpy as np
import pytest

from reviewintent_jax.data import token_shards
from reviewintent_jax.data.token_shards import (
    TokenStore,
    block_of,
    check_sizes,
    shard_name,
    token_dtype,
    write_shard,
)
from reviewintent_jax.schema import InputError


def store_of(folder, written, vocab_size=100, shards=3):
    """A store of reviews laid into some shards."""
    dtype = token_dtype(vocab_size)
    ids = [np.array(each, np.int32) for each in written]
    cuts = np.array_split(np.arange(len(ids)), shards)
    made = [
        write_shard(folder / shard_name(f"0-{n}"), [ids[i] for i in cut], dtype)
        for n, cut in enumerate(cuts)
        if len(cut)
    ]
    return TokenStore(folder, made, np.array([len(each) for each in ids]), dtype)


@pytest.mark.parametrize("vocab_size", [2**16, 2**16 + 1])
def test_store_returns_what_was_written(tmp_path, vocab_size):
    written = [[1, vocab_size - 1, 3], [], [7], [0], [5, 5]]
    store = store_of(tmp_path, written, vocab_size)
    assert [store[i].tolist() for i in range(len(store))] == written
    assert store[0].dtype == np.int32
    assert store.lengths().tolist() == [3, 0, 1, 1, 2]


def test_reviews_are_read_in_the_order_asked_for(tmp_path):
    written = [[i] * (i % 4) for i in range(40)]
    store = store_of(tmp_path, written, shards=7)
    order = np.random.default_rng(0).permutation(40)[:25]
    assert [ids.tolist() for ids in store.read(order)] == [written[i] for i in order]
    assert store.read([]) == []
    assert store.read([3, 3])[1].tolist() == [3, 3, 3]


def test_few_files_are_held_open(tmp_path, monkeypatch):
    monkeypatch.setattr(token_shards, "_OPEN", 2)
    store = store_of(tmp_path, [[i] for i in range(12)], shards=6)
    for _ in range(2):
        assert [ids.tolist() for ids in store.read(range(12))] == [
            [i] for i in range(12)
        ]
        assert len(store._open) == 2


def test_a_shard_states_its_size_and_hash(tmp_path):
    store = store_of(tmp_path, [[1], [2], [3, 4]], shards=2)
    first, second = store.shards
    assert (first.reviews, second.reviews) == (2, 1)
    content = (tmp_path / first.name).read_bytes()
    assert first.bytes == len(content)
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert block_of(first.name) == "0-0"


def test_a_shard_that_is_being_written_does_not_stand_under_its_name(
    tmp_path, monkeypatch
):
    seen = []

    class Watched(token_shards.ArrayRecordWriter):
        def write(self, record):
            seen.append([path.name for path in tmp_path.iterdir()])
            return super().write(record)

    monkeypatch.setattr(token_shards, "ArrayRecordWriter", Watched)
    store_of(tmp_path, [[1], [2]], shards=1)
    for (name,) in seen:
        assert name.startswith("tokens-0-0.array_record.")
        assert name.endswith(".part")
    assert len(seen) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["tokens-0-0.array_record"]


@pytest.mark.parametrize(("damage", "words"), [("lost", "not there"), ("cut", "cut")])
def test_a_lost_or_cut_shard_is_named(tmp_path, damage, words):
    store = store_of(tmp_path, [[1], [2], [3, 4]], shards=2)
    path = tmp_path / store.shards[1].name
    check_sizes(tmp_path, store.shards)
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=words) as caught:
        check_sizes(tmp_path, store.shards)
    assert caught.value.where == str(path)


def test_a_shard_of_garbage_is_refused_with_its_name(tmp_path):
    store = store_of(tmp_path, [[1], [2]], shards=1)
    path = tmp_path / store.shards[0].name
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(InputError, match="cannot be") as caught:
        store.read([0])
    assert caught.value.where == str(path)
