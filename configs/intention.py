"""Your own reviews, over time: does the shopper come back within 30 days? MiniLM.

Command::

    python -m launch.train --config=configs/intention.py \
        --config.data.path=reviews.csv --config.data.text=review \
        --config.data.label=stars --config.data.time=date \
        --config.intention.subject=user --workdir=runs/next

Any table, as for ``configs/table.py``, with two more columns: who wrote (or what it
is about), and when. Sentiment is learned beside it; ``--config.data.label=`` leaves
it out.
With ``--config.intention.kind=next_positive --config.intention.stars=stars`` the
question is whether the next review is a good one. Other questions and numbers to read
beside the text: docs/intention.md.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "intention"
    config.data.time = "time"
    config.intention.subject = "user"
    # Seven reviews of one subject must fit on a page.
    config.pages.page_tokens = 1024
    config.pages.max_tokens = 128
    config.intention.kind = "repurchase"
    config.intention.covariates = ("gap", "first", "length", "season")
    config.train.stop_metric = "intention_auc"
    return config
