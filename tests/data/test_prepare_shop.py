"""The built-in shop, prepared: its truth comes along."""

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.splits import SET_ASIDE
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import RunFolder


def test_the_shop_brings_its_truth_along(tiny_config, tiny_encoder, tmp_path):
    spec = read_config(plain_values(tiny_config)).data_spec()
    prepared = prepare(
        spec, ReviewTokenizer(tiny_encoder), RunFolder(tmp_path), began_with=None
    )
    used = prepared.split_n != SET_ASIDE
    truth = prepared.truth_n[used]
    assert ((truth >= 0) & (truth <= 1)).all()
    right = (truth > 0.5) == (prepared.label_n[used] == 1)
    assert right.mean() > 0.8
