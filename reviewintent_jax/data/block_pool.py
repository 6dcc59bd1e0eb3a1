"""Blocks of rows over the cores of one machine.

One process reads the rows and cuts them into blocks; the others check, clean and
tokenise. Only a few blocks wait at a time, so memory does not grow with the source.
However the first process ends, the others end with it.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from reviewintent_jax.data.blocks import BlockSettings, BlockWorker, RowBlock
from reviewintent_jax.data.prepared_folder import UnfinishedError

_WAITING = 2  # blocks in hand for each worker: one at work, one ready

_worker: BlockWorker | None = None  # of this process, where it is one of a pool
_stopped: Any = None  # shared with the first process: 1 = blocks not begun are left out


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

    Whatever else is raised meanwhile, by a signal perhaps, ends the workers after the
    blocks that they are at.
    """
    if workers == 1:
        return list(_alone(blocks, settings, folder))
    names: list[str] = []
    context = multiprocessing.get_context("spawn")
    stopped = context.RawValue("b", 0)
    pool = ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_begin,
        initargs=(settings, stopped),
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
        stopped.value = 1  # the pool cannot take back what waits next to a worker
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


def _begin(settings: BlockSettings, stopped: Any) -> None:
    global _worker, _stopped
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _stopped = stopped
    _worker = BlockWorker(settings)


def _end_with_parent() -> None:
    """Ends this process when the first one has ended, even by SIGKILL.

    Otherwise it would wait for blocks for ever, or write one while another preparation
    has begun.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(block: RowBlock, folder: Path) -> None:
    if _worker is None:
        raise RuntimeError("the process was not set up")
    if _stopped.value:
        return
    _worker.prepare(block, folder)
