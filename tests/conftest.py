"""A stricter world than production: eight devices, no network, no rank promotion."""

import os
import socket
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["HF_HUB_OFFLINE"] = "1"

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("JAX_COMPILATION_CACHE_DIR")
    or str(Path(tempfile.gettempdir()) / "reviewintent_jax_test_cache"),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


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
def shared_data() -> Path:
    """Real reviews, where they are; tests that need them are skipped elsewhere."""
    folder = Path(os.environ.get("REVIEWINTENT_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"real reviews are not here ({folder}); set REVIEWINTENT_DATA")
    return folder
