"""A small table of reviews over time, and how it is read."""

import csv

from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.labels import LabelKind, LabelSpec
from reviewintent_jax.data.panel_rows import PanelSpec, read_panel_rows
from reviewintent_jax.data.panels import build_panel, fit_positive
from reviewintent_jax.data.periods import Period
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.times import DateOrder

LABELS = LabelSpec(LabelKind.AUTO, (1.0, 2.0), (3.0,), (4.0, 5.0), (), ())


def spec_of(path, **changes):
    settings = {
        "kind": SourceKind.TABLE,
        "path": str(path),
        "time": "when",
        "date_order": DateOrder.ISO,
        "group": "product",
        "positive": "stars",
        "positive_class": "positive",
        "recommending": "again",
        "period": Period.MONTH,
        "shop_rows": 100,
        "shop_seed": 1,
    }
    return PanelSpec(**(settings | changes))


def written(path, rows, names=("product", "when", "stars", "again")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def read(path, folder, *, min_reviews=1, labels=LABELS, **changes):
    """Panel of a table, and the log of what was set aside."""
    spec = spec_of(path, **changes)
    with RejectionLog(folder / "rejected.jsonl") as log:
        rows = read_panel_rows(spec, log)
        positive = fit_positive(rows, spec, labels)
        return build_panel(rows, spec, positive, log, min_reviews=min_reviews), log
