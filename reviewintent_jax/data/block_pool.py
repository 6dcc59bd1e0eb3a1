"""Blocks of rows over the cores of one machine.

One process reads the rows and cuts them into blocks; the others check, clean and
tokenise. Only a few blocks wait at a time, so memory does not grow with the source.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from reviewintent_jax.data.blocks import BlockSettings, BlockWorker, RowBlock
from reviewintent_jax.data.prepared_folder import UnfinishedError

_WAITING = 2  # blocks in hand for each worker: one at work, one ready

_worker: BlockWorker | None = None  # of this process, where it is one of a pool


def prepare_blocks(
    blocks: Iterator[RowBlock], settings: BlockSettings, folder: Path, workers: int
) -> Sequence[str]:
    """Leaves the files of every block in ``folder``; those that are there are kept.

    Args:
      blocks: in the order of the source.
      settings: what to do with every row.
      folder: where the files go.
      workers: processes, 1 or more; 1 = this one.

    Returns:
      Names of the blocks, in their order.

    Raises:
      InputError: a source is damaged.
      UnfinishedError: a worker was killed; blocks that are whole stay in the folder.
    """
    if workers == 1:
        return list(_alone(blocks, settings, folder))
    names: list[str] = []
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(settings,),
    )
    running: set[Future[None]] = set()
    try:
        for block in blocks:
            names.append(block.name)
            running.add(pool.submit(_prepare, block, folder))
            if len(running) >= _WAITING * workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                _raise_first(done)
        _raise_first(running)
    except BrokenProcessPool as error:
        raise UnfinishedError(
            "A process that prepared reviews was killed, perhaps for lack of memory.",
            where=str(folder),
            fix="Start again with fewer --workers; what is done already is kept.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return names


def _alone(
    blocks: Iterator[RowBlock], settings: BlockSettings, folder: Path
) -> Iterator[str]:
    worker = BlockWorker(settings)
    for block in blocks:
        worker.prepare(block, folder)
        yield block.name


def _raise_first(done: set[Future[None]]) -> None:
    """Raises what one of the finished jobs ran into; waits for those at work."""
    for job in done:
        job.result()


def _begin(settings: BlockSettings) -> None:
    global _worker
    _worker = BlockWorker(settings)


def _prepare(block: RowBlock, folder: Path) -> None:
    if _worker is None:
        raise RuntimeError("the process was not set up")
    _worker.prepare(block, folder)
