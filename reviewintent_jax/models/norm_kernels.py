"""Add & norm as one kernel of an NVIDIA GPU, forwards and backwards.

Stage: inside the encoder, at the end of each sub-layer. In: what went into the
sub-layer, the product of its last dense layer, which still lacks its bias, and what
decides about dropout. Out: ``layer_norm(x + dropout(product + bias))``.

XLA reads and writes what passes here in ten kernels, half of it as float32. Here the
sum is written once, beside the answer, and the gradient comes from it alone: statistics
of a row cost less to compute again than to read. Ba et al. (2016), equation 4.

Letters: ``t`` tokens, ``d`` features. A row is taken by 32 threads, which sum over it
without waiting for others, in pieces that are powers of two, as the compiler of kernels
wants them: 768 = 512 + 256.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reviewintent_jax.models.dropout import keep_places
from reviewintent_jax.models.own_rows import Cut, from_row, on_own_rows

_ROWS = 64  # at most, of a program of the gradient; sums over rows are then few
_MOST_FEATURES = 1_024  # 206 of 255 registers of a thread are in use at 768
_LEAST_PIECE = 64  # two numbers a thread
_MOST_PIECES = 3


Pieces = list[jax.Array]
"""Of one row, or of what holds for all rows."""

_Block = tuple[tuple, Callable[..., tuple]]
"""Shape of what a program sees of an array, and which part of it."""


class AddNorm(NamedTuple):
    """What is fixed when the kernels are compiled.

    Attributes:
      epsilon: added to the variance.
      rate: of dropout of what is added, in [0, 1).
      interpret: runs them without a GPU, slowly: for tests.
    """

    epsilon: float
    rate: float = 0.0
    interpret: bool = False


def fits_rows(features: int) -> bool:
    """Whether rows of so many features suit the kernels.

    They must be at most 1,024, and a sum of at most three powers of two from 64 on.
    """
    pieces = _pieces(features)
    few = len(pieces) <= _MOST_PIECES and pieces[-1] >= _LEAST_PIECE
    return few and features <= _MOST_FEATURES


def _pieces(features: int) -> list[int]:
    """Powers of two that it is the sum of, the largest first."""
    bits = range(features.bit_length() - 1, -1, -1)
    return [1 << bit for bit in bits if features >> bit & 1]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def add_and_normalise(
    choice: AddNorm,
    x_td: jax.Array,
    product_td: jax.Array,
    bias_d: jax.Array,
    scale_d: jax.Array,
    shift_d: jax.Array,
    words: jax.Array,
) -> jax.Array:
    """``layer_norm(x + dropout(product + bias))``; reverse-mode derivatives only.

    Args:
      choice: what is fixed.
      x_td: what the sub-layer read.
      product_td: of its last dense layer, of the type of ``x_td``.
      bias_d: of the same layer and type.
      scale_d: float32, of the norm.
      shift_d: float32, of the norm.
      words: uint32 ``[2]``, which decide what is dropped (``dropout.key_words``); the
        same numbers are dropped as by ``dropout.kept``.

    Returns:
      ``[t, d]`` in the type of ``x_td``.
    """
    given = x_td, product_td, bias_d, scale_d, shift_d, words
    return _run(choice, _answer_by_kernel, _answer_plainly, given, (0,))[0]


def _forward(choice: AddNorm, *given: jax.Array) -> tuple:
    answer, total = _run(choice, _answer_by_kernel, _answer_plainly, given, (0, 0))
    _, _, _, scale_d, _, words = given
    return answer, (total, scale_d, words)


def _backward(choice: AddNorm, saved: tuple, gradient: jax.Array) -> tuple:
    total, scale_d, words = saved
    given = total, gradient.astype(total.dtype), scale_d, words
    # Without dropout the gradients of the sum and of the product are the same.
    found = *((0, 0) if choice.rate else (0,)), None, None, None
    *of_rows, of_bias_d, of_scale_d, of_shift_d = _run(
        choice, _gradient_by_kernel, _gradient_plainly, given, found
    )
    of_bias_d = of_bias_d.astype(total.dtype)
    return of_rows[0], of_rows[-1], of_bias_d, of_scale_d, of_shift_d, None


add_and_normalise.defvjp(_forward, _backward)


def _run(
    choice: AddNorm,
    by_kernel: Callable[..., list[jax.Array]],
    plainly: Callable[..., list[jax.Array]],
    given: tuple,
    found: tuple[Cut, ...],
) -> list[jax.Array]:
    """By the kernel where there are kernels, else the same by XLA.

    ``found``: the axis of rows of every output, the first of them; None = a sum of all.
    """
    outputs = found.count(0)

    def kernel(*given: jax.Array) -> list[jax.Array]:
        cut = 0, 0, *[None] * (len(given) - 2)
        run = functools.partial(by_kernel, choice, outputs)
        return on_own_rows(run, given, cut=cut, found=found)

    if choice.interpret:
        return kernel(*given)
    plain = functools.partial(plainly, choice, outputs)
    return jax.lax.platform_dependent(*given, cuda=kernel, default=plain)


def _answer_plainly(
    choice: AddNorm, outputs: int, *given: jax.Array
) -> list[jax.Array]:
    """The answer ``[t, d]``, and as a second output the sum that was normalised."""
    x, product, *of_features, words = given
    rows, features = x.shape

    def one(row: jax.Array, x: jax.Array, product: jax.Array) -> list[jax.Array]:
        keep = _keep(choice, words, row, [features])
        alone = [[each] for each in (x, product, *of_features)]
        return [pieces[0] for pieces in _normalised(choice, alone, keep)]

    return jax.vmap(one)(jnp.arange(rows), x, product)[:outputs]


def _answer_by_kernel(
    choice: AddNorm, outputs: int, first: jax.Array, *given: jax.Array
) -> list[jax.Array]:
    """The same, a program for every row; ``first`` numbers the rows."""
    rows, features = given[0].shape
    given = *given[:-1], from_row(given[-1], first)

    def program(*refs: Any) -> None:
        from jax.experimental import pallas

        given_refs, words_ref = refs[: len(given) - 1], refs[len(given) - 1]
        row = words_ref[2] + pallas.program_id(0).astype(jnp.uint32)
        keep = _keep(choice, words_ref, row, _pieces(features))
        found = _normalised(choice, [_take(ref) for ref in given_refs], keep)
        for ref, pieces in zip(refs[len(given) :], found, strict=False):
            _put(ref, pieces)

    row = (None, features), lambda place: (place, 0)
    blocks = [row, row, *map(_whole, given[2:])]
    results = [jax.ShapeDtypeStruct(given[0].shape, given[0].dtype)] * outputs
    call = _call(choice, program, rows, blocks, [row] * outputs, results)
    return list(call(*given))


def _gradient_plainly(
    choice: AddNorm, outputs: int, *given: jax.Array
) -> list[jax.Array]:
    """Of the sum and, as a second output, of the product: ``[t, d]``; then, float32
    ``[d]``, of bias, scale and shift.
    """
    total, gradient, scale, words = given
    rows, features = total.shape

    def one(row: jax.Array, total: jax.Array, gradient: jax.Array) -> Any:
        keep = _keep(choice, words, row, [features])
        return _slopes(choice, [total], [gradient], [scale], keep)

    *of_rows, sums = jax.vmap(one)(jnp.arange(rows), total, gradient)
    kept = [pieces[0] for pieces in of_rows[:outputs]]
    return [*kept, *(pieces[0].sum(axis=0) for pieces in sums)]


def _gradient_by_kernel(
    choice: AddNorm, outputs: int, first: jax.Array, *given: jax.Array
) -> list[jax.Array]:
    """The same, a program for so many rows as divide them all, 64 at most."""
    total, _, scale, words = given
    words, given = from_row(words, first), given[:-1]
    rows, features = total.shape
    of_program = min(_ROWS, rows & -rows)
    programs = rows // of_program
    block = (of_program, features), lambda place: (place, 0)
    sums = (None, features), lambda place: (place, 0)
    results = [jax.ShapeDtypeStruct(total.shape, total.dtype)] * outputs
    results += [jax.ShapeDtypeStruct((programs, features), jnp.float32)] * 3
    call = _call(
        choice,
        _gradient_program(choice, outputs, of_program),
        programs,
        [block, block, _whole(scale), _whole(words)],
        [block] * outputs + [sums] * 3,
        results,
    )
    found = list(call(*given, words))
    return [*found[:outputs], *(x.sum(axis=0) for x in found[outputs:])]


def _gradient_program(choice: AddNorm, outputs: int, rows: int) -> Callable[..., None]:
    """Gradients of so many rows, one after another, and what they sum up."""

    def program(*refs: Any) -> None:
        from jax.experimental import pallas

        total_ref, gradient_ref, scale_ref, words_ref, *output_refs = refs
        sizes = _pieces(scale_ref.shape[-1])
        first = words_ref[2] + pallas.program_id(0).astype(jnp.uint32) * rows
        scales = _take(scale_ref)

        def take(row: Any) -> list[Pieces]:
            return [_take(ref, row) for ref in (total_ref, gradient_ref)]

        def of_row(row: Any, carried: tuple) -> tuple:
            sums, (totals, gradients) = carried
            # Asked for a row ahead: memory answers while this one is computed.
            ahead = take(jnp.minimum(row + 1, rows - 1))
            keep = _keep(choice, words_ref, first + row.astype(jnp.uint32), sizes)
            *of_rows, more = _slopes(choice, totals, gradients, scales, keep)
            for ref, pieces in zip(output_refs, of_rows[:outputs], strict=False):
                _put(ref, pieces, row)
            return jax.tree.map(jnp.add, sums, more), ahead

        none = [jnp.zeros(size, jnp.float32) for size in sizes]
        sums, _ = jax.lax.fori_loop(0, rows, of_row, ([none] * 3, take(0)))
        for ref, pieces in zip(output_refs[outputs:], sums, strict=True):
            _put(ref, pieces)

    return program


def _whole(x: jax.Array) -> _Block:
    return x.shape, lambda place: (0,) * x.ndim


def _call(
    choice: AddNorm,
    program: Callable[..., None],
    programs: int,
    given: Sequence[_Block],
    made: Sequence[_Block],
    results: Sequence[jax.ShapeDtypeStruct],
) -> Callable[..., list[jax.Array]]:
    # Slow to import, and wanted by those alone who ask for kernels.
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    return pallas.pallas_call(
        program,
        grid=(programs,),
        in_specs=[pallas.BlockSpec(*each) for each in given],
        out_specs=[pallas.BlockSpec(*each) for each in made],
        out_shape=list(results),
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=choice.interpret,
    )


def _cuts(features: int) -> list[slice]:
    """Where the pieces of a row lie in it."""
    ends = list(itertools.accumulate(_pieces(features)))
    return [slice(*ends) for ends in itertools.pairwise([0, *ends])]


def _take(ref: Any, *row: Any) -> list[jax.Array]:
    """All pieces of a row, or of all there is."""
    return [ref[(*row, cut)] for cut in _cuts(ref.shape[-1])]


def _put(ref: Any, pieces: Sequence[jax.Array], *row: Any) -> None:
    for cut, piece in zip(_cuts(ref.shape[-1]), pieces, strict=True):
        ref[(*row, cut)] = piece.astype(ref.dtype)


def _keep(choice: AddNorm, words: Any, row: Any, sizes: Sequence[int]) -> list:
    """What the pieces of a row are multiplied by; None where nothing is dropped."""
    if not choice.rate:
        return [None] * len(sizes)
    features, found = sum(sizes), []
    start = jnp.asarray(row).astype(jnp.uint32) * jnp.uint32(features)
    for size in sizes:
        places = start + jax.lax.iota(jnp.uint32, size)
        found.append(keep_places(places, words[0], words[1], choice.rate))
        start += jnp.uint32(size)
    return found


def _normalised(choice: AddNorm, given: Sequence[Pieces], keep: list) -> list[Pieces]:
    """The answer and the sum; given as :func:`add_and_normalise` is."""
    x, product, bias, scale, shift = given
    total = []
    for each, added, more, kept in zip(x, product, bias, keep, strict=True):
        total.append(each + _dropped(added + more, kept))
    normal, _ = _normal(choice, total)
    answer = [
        (each * factor + offset).astype(total[0].dtype)
        for each, factor, offset in zip(normal, scale, shift, strict=True)
    ]
    return [answer, total]


def _slopes(
    choice: AddNorm, total: Pieces, gradient: Pieces, scale: Pieces, keep: list
) -> tuple[Pieces, Pieces, list[Pieces]]:
    """Gradients of the sum and the product, and what bias, scale and shift sum up."""
    normal, inverse = _normal(choice, total)
    wide = [each.astype(jnp.float32) for each in gradient]
    scaled = [each * factor for each, factor in zip(wide, scale, strict=True)]
    turned = [each * other for each, other in zip(scaled, normal, strict=True)]
    mean, share = _mean(scaled), _mean(turned)
    of_sum = [
        (inverse * (each - mean - other * share)).astype(total[0].dtype)
        for each, other in zip(scaled, normal, strict=True)
    ]
    of_product = [_dropped(x, kept) for x, kept in zip(of_sum, keep, strict=True)]
    of_bias = [each.astype(jnp.float32) for each in of_product]
    of_scale = [each * other for each, other in zip(wide, normal, strict=True)]
    return of_sum, of_product, [of_bias, of_scale, wide]


def _normal(choice: AddNorm, total: Pieces) -> tuple[Pieces, jax.Array]:
    """A row of mean 0 and variance 1, and what it was divided by, inverted."""
    wide = [each.astype(jnp.float32) for each in total]
    mean = _mean(wide)
    centred = [each - mean for each in wide]
    variance = _mean([each * each for each in centred])
    inverse = jax.lax.rsqrt(variance + choice.epsilon)
    return [each * inverse for each in centred], inverse


def _mean(row: Pieces) -> jax.Array:
    total = jnp.sum(row[0])
    for piece in row[1:]:
        total += jnp.sum(piece)
    return total * (1 / sum(map(len, row)))


def _dropped(x: jax.Array, kept: jax.Array | None) -> jax.Array:
    return x if kept is None else x * kept.astype(x.dtype)
