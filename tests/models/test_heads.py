import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.models.heads import SoftmaxHead

SUMMARY = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 5)), jnp.float32)


def test_logits_are_one_dense_layer():
    head = SoftmaxHead(classes=4, dropout=0.5)
    variables = head.init(jax.random.key(0), SUMMARY, deterministic=True)
    dense = jax.tree.map(np.asarray, variables["params"]["classify"])
    logits = head.apply(variables, SUMMARY, deterministic=True)
    np.testing.assert_allclose(
        logits, np.asarray(SUMMARY) @ dense["kernel"] + dense["bias"], atol=1e-6
    )


def test_dropout_acts_in_training_alone():
    head = SoftmaxHead(classes=4, dropout=0.5)
    variables = head.init(jax.random.key(0), SUMMARY, deterministic=True)
    run = [
        head.apply(
            variables, SUMMARY, deterministic=False, rngs={"dropout": jax.random.key(i)}
        )
        for i in (1, 1, 2)
    ]
    np.testing.assert_array_equal(run[0], run[1])
    assert jnp.abs(run[0] - run[2]).max() > 1e-3


def test_logits_and_parameters_are_float32_under_bfloat16():
    head = SoftmaxHead(classes=2, dropout=0.0, dtype=jnp.bfloat16)
    logits, variables = head.init_with_output(
        jax.random.key(0), SUMMARY.astype(jnp.bfloat16), deterministic=True
    )
    assert logits.dtype == jnp.float32
    assert {a.dtype for a in jax.tree.leaves(variables)} == {np.dtype("float32")}
