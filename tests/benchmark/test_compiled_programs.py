"""A program is compiled again when the code that decides it is another."""

import json
import shutil
from pathlib import Path

import pytest

from configs import yelp
from reviewintent_jax.benchmark import compiled_programs
from reviewintent_jax.benchmark.compiled_programs import Compiled, sources_sha256
from reviewintent_jax.benchmark.devices import H200
from reviewintent_jax.benchmark.scaling import Case
from reviewintent_jax.benchmark.scaling_page import scaling_page
from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config

PACKAGE = Path(compiled_programs.__file__).parents[1]
STORED = PACKAGE.parent / "docs/results/scaling.json"
CASE = Case("BERT-base", H200, 8, 64)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Opens a copy of the committed results; what it compiles is marked ``new``."""
    path = tmp_path / "scaling.json"
    shutil.copy(STORED, path)
    version = json.loads(STORED.read_text("utf-8"))["settings"]["jax"]
    names = "encoder", "device", "devices", "pages", "layers"

    def compiled(case, config, layers):
        key = case.encoder, case.device.name, case.devices, case.pages, layers
        return dict(zip(names, key, strict=True)) | {"new": True}

    monkeypatch.setattr(compiled_programs, "compiled", compiled)
    config = read_config(plain_values(yelp.get_config()))
    return lambda again=False: Compiled(path, config, jax=version, again=again)


def test_records_without_a_hash_are_kept(kept):
    assert "new" not in kept().get(CASE, 1)


def test_another_code_is_compiled_again_and_the_same_is_not(kept, monkeypatch):
    first = kept(again=True)
    assert first.get(CASE, 1)["new"]
    again = kept()
    monkeypatch.setattr(compiled_programs, "compiled", None)
    assert again.get(CASE, 1)["sources"] == again.sources
    monkeypatch.setattr(compiled_programs, "sources_sha256", lambda: "another")
    assert not kept().records


def test_the_hash_is_that_of_models_and_step(tmp_path):
    no_bytecode = shutil.ignore_patterns("__pycache__")
    root = shutil.copytree(PACKAGE, tmp_path / "package", ignore=no_bytecode)
    assert sources_sha256(root) == sources_sha256()
    for name in ("models/lstnet.py", "training/step.py", "training/sharding.py"):
        before = sources_sha256(root)
        with (root / name).open("a") as file:
            file.write("CHANGED = True\n")
        assert sources_sha256(root) != before, name
    for pattern in compiled_programs._SOURCES:
        assert list(PACKAGE.glob(pattern)), pattern


def test_the_page_counts_programs_of_an_earlier_code():
    results = json.loads(STORED.read_text("utf-8"))
    words = "programs were compiled by an earlier state of the code"
    for each in results["programs"][1:]:
        each["sources"] = "known"
    results["programs"][0].pop("sources", None)
    assert f"1 of the {len(results['programs'])} {words}" in scaling_page(results)
    results["programs"][0]["sources"] = "known"
    assert words not in scaling_page(results)
