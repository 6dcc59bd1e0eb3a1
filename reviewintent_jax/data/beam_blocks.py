"""Blocks of rows over many machines, by Apache Beam.

Each file of the source is one element of the pipeline: a worker reads it, cuts it into
blocks and leaves their files in the folder, which all workers must reach under the same
path. The blocks are those that one machine makes
(:mod:`~reviewintent_jax.data.block_pool`), because the rows alone decide where a block
ends; what needs all of them at once is decided afterwards, on a few numbers per review.
Runners retry what fails: a block that is whole is not made again.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam  # pyright: ignore[reportMissingImports]
from apache_beam.options.pipeline_options import (  # pyright: ignore[reportMissingImports]
    PipelineOptions,
)

from reviewintent_jax.data.blocks import (
    BlockSettings,
    BlockWorker,
    block_names,
    cut_blocks,
)
from reviewintent_jax.data.ingest import Engine
from reviewintent_jax.data.sources import SourceKind, read_rows
from reviewintent_jax.data.tables import expand_paths, read_table
from reviewintent_jax.schema import InputError


class PrepareFile(beam.DoFn):
    """Number, path and name of a file -> names of its blocks, whose files it leaves."""

    def __init__(self, settings: BlockSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder

    def setup(self) -> None:
        """Opens the tokenizer, once for every process."""
        self._worker = BlockWorker(self._settings)

    def process(self, element: tuple[int, str, str]) -> Iterator[str]:
        """Prepares one file."""
        file, path, name = element
        rows = (row._replace(file=name) for row in read_table(Path(path)))
        for block in cut_blocks(rows, self._settings.source.text, file=file):
            self._worker.prepare(block, self._folder)
            yield block.name


def on_beam(options: Sequence[str]) -> Engine:
    """An engine that runs a pipeline.

    Args:
      options: of Beam, as on its command line, such as ``--runner=DirectRunner``.
    """

    def run(settings: BlockSettings, folder: Path) -> Sequence[str]:
        source = settings.source
        if source.kind is not SourceKind.TABLE:
            raise InputError(
                "Beam reads table files; this source is not one.",
                where="field data.kind",
                fix="Leave out --beam.",
            )
        read_rows(source, settings.intention.named_columns)  # a wrong column is said
        files = [
            (file, str(path.absolute()), str(path))
            for file, path in enumerate(expand_paths(source.path))
        ]
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create(files)
                | "One by one" >> beam.Reshuffle()
                | "Prepare" >> beam.ParDo(PrepareFile(settings, folder.absolute()))
            )
        return block_names(folder)

    return run
