"""Programs that are compiled in a thread while the caller goes on.

XLA compiles without holding Python back, but not all of it on every core: reading
weights, tracing the next program and drawing numbers fit beside it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax


def compiled_ahead(lowered: jax.stages.Lowered) -> Callable[..., Any]:
    """Begins to compile; the first call waits until the program is there.

    XLA cannot be interrupted: a Python that ends sooner waits for it.

    Args:
      lowered: what to compile.

    Returns:
      The program: called as the function was, for arrays of the shapes and in the
      places that it was lowered for. A call raises what went wrong in compiling.
    """
    pool = ThreadPoolExecutor(1, "compile")
    compiled = pool.submit(lowered.compile)
    pool.shutdown(wait=False)

    def call(*arguments: Any) -> Any:
        return compiled.result()(*arguments)

    return call
