"""Your own reviews: any CSV, TSV, JSONL or Parquet file, plain, .gz or .zst, or a glob.

Command::

    python -m launch.train --config=configs/table.py --config.data.path=reviews.csv \
        --config.data.text=review --config.data.label=stars --workdir=runs/mine

Labels may be stars, 0/1 or names; how they become classes is printed at the start and
can be set under ``config.labels``. Encoder: MiniLM-L6 (6 x 384), which two cores
can fine-tune; name another with ``--config.encoder.source=``.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "table"
    return config
