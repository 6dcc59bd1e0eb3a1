"""Beam makes the very blocks that one machine makes, on its DirectRunner."""

import dataclasses
from pathlib import Path

import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.bazaar import BazaarSpec, write_shop
from reviewintent_jax.data.ingest import on_this_machine
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder

pytest.importorskip("apache_beam", reason="Beam is an extra: pip install '.[beam]'")
pytestmark = pytest.mark.slow


@pytest.fixture
def spec(tiny_config, tmp_path):
    """Three files of the shop, with histories."""
    for file in range(3):
        write_shop(BazaarSpec(rows=400 + file, seed=file), tmp_path / f"shop{file}.csv")
    tiny_config.data.kind = SourceKind.TABLE.value
    tiny_config.data.path = str(tmp_path / "shop*.csv")
    tiny_config.data.time = "time"
    tiny_config.intention.kind = "repurchase"
    tiny_config.intention.subject = "user_id"
    return read_config(plain_values(tiny_config)).data_spec()


def left(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in (".array_record", ".parquet", ".json")
    }


def test_beam_leaves_what_one_machine_leaves(spec, tiny_encoder, tmp_path):
    from reviewintent_jax.data.beam_blocks import on_beam

    tokenizer, found = ReviewTokenizer(Path(tiny_encoder)), []
    for name, engine in (
        ("here", on_this_machine(1)),
        ("beam", on_beam(["--runner=DirectRunner", "--direct_num_workers=2"])),
    ):
        run = RunFolder(tmp_path / name)
        prepare(spec, tokenizer, run, began_with=None, engine=engine)
        found.append({**left(run.prepared), "rejected": run.rejected.read_bytes()})
    assert len(found[0]) == 3 * 2 + 1 + 1
    for name, content in found[0].items():
        if name != "manifest.json":  # which holds the hash of a dated archive
            assert found[1][name] == content, name


def test_beam_refuses_what_is_no_table(spec, tiny_encoder, tmp_path):
    from reviewintent_jax.data.beam_blocks import on_beam

    source = dataclasses.replace(spec.source, kind=SourceKind.SHOP, path="")
    shop = dataclasses.replace(spec, source=source)
    run = RunFolder(tmp_path / "run")
    tokenizer = ReviewTokenizer(Path(tiny_encoder))
    with pytest.raises(InputError, match="Beam reads table files"):
        prepare(shop, tokenizer, run, began_with=None, engine=on_beam([]))
    assert not run.prepared.exists()
