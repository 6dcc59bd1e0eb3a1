"""A stricter world than production: eight devices, no network, no rank promotion."""

import os
import socket
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["HF_HUB_OFFLINE"] = "1"

import jax
import pytest

from reviewintent_jax.allocator import collect_rarely

collect_rarely()  # as the commands do

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("JAX_COMPILATION_CACHE_DIR")
    or str(Path(tempfile.gettempdir()) / "reviewintent_jax_test_cache"),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture
def kept_apart(tmp_path):
    """A folder of this test alone, where traced programs are kept."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "compiled"))
    yield tmp_path / "compiled" / "traced"
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.fixture
def anew_and_kept(kept_apart, monkeypatch):
    """Experiment -> an update of its first state, traced anew and as it was kept."""
    from tests.training.first_states import updates_anew_and_kept

    return lambda experiment: updates_anew_and_kept(experiment, monkeypatch)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection that leaves this machine."""
    real = socket.socket.connect

    def connect(self, address):
        if self.family == socket.AF_UNIX or address[0] in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            return real(self, address)
        raise OSError(f"tests run offline; something asked for {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """A random BERT of 2 x 32 with a vocabulary of the built-in shop, as a folder."""
    from tokenizers.implementations import BertWordPieceTokenizer

    from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
    from reviewintent_jax.data.pages import PageSpec, empty_pages
    from reviewintent_jax.data.tokens import SpecialIds
    from reviewintent_jax.models.encoder import Encoder
    from reviewintent_jax.models.pretrained import save_encoder

    folder = tmp_path_factory.mktemp("tiny_encoder")
    trainer = BertWordPieceTokenizer(lowercase=True)
    texts = (row["text"] for row in simulate_shop(BazaarSpec(rows=300, seed=3)))
    trainer.train_from_iterator(texts, vocab_size=700, show_progress=False)
    trainer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    spec = tiny_encoder_spec(trainer.get_vocab_size())
    page = empty_pages(1, SpecialIds(2, 3, 0), PageSpec(16, 16, 16, 1))
    ids = page.token_ids_bt, page.segment_ids_bt, page.position_ids_bt
    init = jax.jit(lambda key: Encoder(spec, 16).init(key, *ids, deterministic=True))
    params = jax.device_get(init(jax.random.key(0))["params"])
    save_encoder(folder, spec, params, tokenizer_from=None)
    return folder


def tiny_encoder_spec(vocab_size: int):
    """Sizes of the tiny encoder; pairwise different."""
    from reviewintent_jax.models.activations import Activation
    from reviewintent_jax.models.encoder import (
        ComputeDtype,
        EncoderFamily,
        EncoderSpec,
    )

    return EncoderSpec(
        family=EncoderFamily.BERT,
        vocab_size=vocab_size,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        intermediate_size=48,
        max_positions=70,
        position_offset=0,
        type_vocab_size=2,
        norm_eps=1e-12,
        activation=Activation.GELU,
        hidden_dropout=0.1,
        attention_dropout=0.1,
        pad_id=0,
        has_pooler=True,
        dtype=ComputeDtype.FLOAT32,
    )


@pytest.fixture
def tiny_config(tiny_encoder):
    """Config of a run that takes seconds: the shop, the tiny encoder, few steps."""
    from configs import demo

    config = demo.get_config()
    config.name = "tiny"
    config.data.shop_rows = 240
    config.encoder.source = str(tiny_encoder)
    config.encoder.sha256 = ""
    config.pages.update(page_tokens=64, chunk_tokens=32, max_tokens=64, slots=6)
    config.lstnet.update(
        kernel_sizes=(2, 3),
        channels=5,
        recurrent_features=7,
        recurrent_layers=1,
        skip_period=4,
        skip_features=3,
        highway_window=6,
        summary_features=9,
    )
    config.augment.update(delete=0.05, replace=0.05, shuffle=0.05)
    config.optimizer.warmup_steps = 3
    config.train.update(
        batch_reviews=16,
        validate_every_steps=5,
        checkpoint_every_steps=2,
        log_every_steps=1,
    )
    config.evaluation.update(batch_pages=4, bootstrap_samples=20)
    config.mesh.data = 1
    return config


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real reviews, where they are; tests that need them are skipped elsewhere."""
    folder = Path(os.environ.get("REVIEWINTENT_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"real reviews are not here ({folder}); set REVIEWINTENT_DATA")
    return folder
