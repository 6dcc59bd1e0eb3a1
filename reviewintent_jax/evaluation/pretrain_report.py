"""The report of a pre-training: a run's folder -> ``report.html``, for people."""

import json
from pathlib import Path

from markupsafe import Markup

from reviewintent_jax.evaluation.plots import masked_learning_curves
from reviewintent_jax.evaluation.pretrain_summary import COLUMNS, SYSTEMS
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.schema import RunFolder


def write_pretrain_report(run: RunFolder) -> Path:
    """Write the report of a finished pre-training and return its path.

    Raises:
      InputError: the run has no readable ``metrics.json``.
    """
    metrics = read_metrics(run)
    history = list(read_lines(run.log))
    best_step = metrics["training"]["best_step"]
    usual = metrics["systems"]["piece_frequency"]["validation"]["cross_entropy"]
    page = (
        page_environment()
        .get_template("pretrain_report.html.j2")
        .render(
            metrics=metrics,
            systems=SYSTEMS,
            columns=COLUMNS,
            learning=Markup(masked_learning_curves(history, best_step, usual["value"])),
            config=json.dumps(metrics["config"], indent=2, ensure_ascii=False),
        )
    )
    run.report.write_text(page, encoding="utf-8")
    return run.report
