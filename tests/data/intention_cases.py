"""Settings of intention that tests change a few of."""

import numpy as np

from reviewintent_jax.data.intention import IntentionKind, IntentionSpec
from reviewintent_jax.data.labels import LabelKind, LabelSpec

DAY = 86_400
START = int(np.datetime64("2014-01-01T00:00:00", "s").astype(np.int64))


def intention_spec(**changes) -> IntentionSpec:
    fields = {
        "kind": "repurchase",
        "subject": "user",
        "label": "",
        "labels": LabelSpec(LabelKind.AUTO, (), (), (), (), ()),
        "stars": "",
        "positive_stars": (4.0, 5.0),
        "horizon_days": 30,
        "window": 3,
        "cut_fraction": 0.6,
        "covariates": (),
        "helpful": "",
    } | changes
    if fields["kind"] == "stated":
        fields["label"] = fields["label"] or "flag"
    return IntentionSpec(**{**fields, "kind": IntentionKind(fields["kind"])})
