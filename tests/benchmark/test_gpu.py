"""The GPU's measurements in miniature, without what a GPU machine may lack."""

import json
import subprocess
import sys

import pytest

from configs import demo
from reviewintent_jax.benchmark.gpu_plan import full_plan
from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config

# What the product installs and a GPU machine may lack.
_MISSING = """
import sys
class Missing:
    names = set("transformers tokenizers jaxtyping sklearn pandas pyarrow matplotlib "
        "ml_collections huggingface_hub safetensors tensorflow_datasets array_record "
        "ftfy rensa jinja2 markupsafe tensorboardX tqdm zstandard".split())
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from launch.gpu_benchmark import main
main()
"""


def test_the_lstnet_is_that_of_the_configs():
    config = read_config(plain_values(demo.get_config()))
    assert full_plan().lstnet == config.lstnet


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "JAX finds no GPU here, but cpu"),
        (("--page",), "There are no results in"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_written(tmp_path, flags, said):
    output = tmp_path / "results" / "gpu.json"
    command = [sys.executable, "-m", "launch.gpu_benchmark", f"--output={output}"]
    ended = subprocess.run(
        [*command, *flags], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not output.parent.exists()


@pytest.mark.slow
def test_all_of_it_runs_in_miniature(tmp_path):
    output = tmp_path / "gpu.json"
    command = [sys.executable, "-c", _MISSING, "--tiny", f"--output={output}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    said = json.loads(output.read_text("utf-8"))
    parts = said["parts"]
    assert said["tiny"]
    assert not [name for name, part in parts.items() if "failed" in part], parts
    records = {(r["layout"], r["path"]): r for r in parts["attention"]["records"]}
    assert not records["packed", "cudnn_lengths"]["sound"]  # reviews of a block leak
    assert all(
        record["sound"]
        for (layout, path), record in records.items()
        if layout != "packed" or path != "cudnn_lengths"
    )
    ours = parts["training: airline_tweets"]["systems"]["ours"]
    assert ours["reviews_per_second"]["median"] > 0
    assert 0.5 < ours["useful_share"] <= 1
    assert parts["scoring"]["by_reviews_at_once"].keys() == {"2", "3"}
    latency = parts["latency"]["seconds_by_tokens"]
    assert all(by_tokens.keys() == {"16", "32"} for by_tokens in latency.values())
    assert "FrozenScorer" in latency
    assert [each["sound"] for each in parts["epilogues"]["records"]] == [True, True]
    dropped = records["packed, dropout and biases", "kernel"]
    assert dropped["sound"]
    assert dropped["error"] > 0  # another sum than that of the reference
