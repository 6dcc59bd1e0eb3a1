"""MSDP-Net learns the built-in members: fusion beats its parts and follows the carrier.

The texts are not written and encoded: each is a few numbers, the will that the member's
review was written from, with noise.
"""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from configs import msdp_members
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_msdp import read_msdp_config
from reviewintent_jax.data.bazaar_members import CARRIERS, draw_wills
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.msdp_build import build_cases
from reviewintent_jax.data.msdp_features import MsdpData, fit_features
from reviewintent_jax.data.msdp_specs import SOURCES
from reviewintent_jax.data.splits import TEST
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.msdp import MsdpExperiment
from reviewintent_jax.training.msdp_answers import answer_cases, make_msdp_step
from reviewintent_jax.training.sharding import make_mesh

pytestmark = pytest.mark.slow
MEMBERS = 3000
FEATURES = 8


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """The members' network, smaller, on their will to come back within 60 days."""
    config = msdp_members.get_config()
    config.data.shop_rows = MEMBERS
    config.events.recent = 6
    config.targets.update(value="", time="")
    config.split.test_fraction = 0.4
    config.lstnet.update(channels=6, recurrent_features=12)
    config.network.update(features=16, dropout=0.1)
    config.optimizer.head_rate = 1.2e-2
    config.train.update(epochs=25, patience=0, log_every_steps=1000)
    config.mesh.data = 1
    whole = read_msdp_config(plain_values(config))
    schema = whole.schema()
    with RejectionLog(tmp_path_factory.mktemp("cases") / "rejected.jsonl") as log:
        cases = build_cases(schema, log)
    fit = fit_features(cases, schema)
    return MsdpExperiment(
        name="members",
        seed=whole.seed,
        config={},
        windows=MsdpData(cases, fit, schema, text_vectors(cases)),
        model=whole.model(fit, FEATURES),
        loss_spec=whole.loss,
        optimizer=whole.optimizer,
        train=whole.train,
        evaluation=whole.evaluation,
        mesh=make_mesh(whole.mesh),
    )


def text_vectors(cases):
    """A vector of each text: the will behind it along one direction, and noise."""
    will_m = draw_wills(MEMBERS, msdp_members.get_config().data.shop_seed).text
    text_n = cases.text_nk[:, 0]
    member_n = np.array([int(name[1:]) for name in cases.names])
    will_v = np.zeros(len(cases.texts))
    will_v[text_n[text_n >= 0]] = will_m[member_n[text_n >= 0]]
    noise = np.random.default_rng(3).standard_normal((len(will_v), FEATURES))
    return (will_v[:, None] * np.linspace(-1, 1, FEATURES) + 0.7 * noise).astype("f4")


def answered(experiment, folder):
    """Best parameters after training, and what they say of the test cases."""
    result = train(experiment, RunFolder(folder))
    params, _ = restore_best(RunFolder(folder), result.state.params)
    data = experiment.windows
    rows = data.targets(TEST)
    return params, answer_cases(
        make_msdp_step(experiment.model), params, data, rows, 1200
    )


@pytest.fixture(scope="module")
def together(experiment, tmp_path_factory):
    return answered(experiment, tmp_path_factory.mktemp("together"))


def auc_of(experiment, said, some=slice(None)):
    rows = experiment.windows.targets(TEST)
    truth = experiment.windows.cases.targets.intent_n[rows]
    margin = said.intent_ny[:, 1] - said.intent_ny[:, 0]
    return roc_auc_score(truth[some], margin[some])


def clubs_of(experiment):
    """Club of each test case, and whether it has all three sources."""
    cases, rows = experiment.windows.cases, experiment.windows.targets(TEST)
    column = list(cases.categories).index("club")
    names = np.array(cases.categories["club"])
    complete = experiment.windows.present(rows).all(axis=1)
    return names[cases.category_nc[rows, column]], complete


def test_the_fusion_beats_behaviour_and_fields_alone(experiment, together, tmp_path):
    whole = auc_of(experiment, together[1])
    for source in ("behaviour", "structured"):
        _, said = answered(experiment.alone(source), tmp_path / source)
        print(source, auc_of(experiment, said), whole)
        assert whole > auc_of(experiment, said) + 0.04


def test_every_source_is_read_where_it_alone_knows(experiment, together):
    """One that the fusion passes over would leave its club to chance, 0.5."""
    club, complete = clubs_of(experiment)
    for name in CARRIERS:
        print(name, auc_of(experiment, together[1], (club == name) & complete))
        assert auc_of(experiment, together[1], (club == name) & complete) > 0.65


def test_the_weight_of_the_source_that_knows_leads(experiment, together):
    club, complete = clubs_of(experiment)
    for name in ("rhythm", "card"):
        weight_i = together[1].weight_ni[(club == name) & complete].mean(axis=0)
        print(name, weight_i)
        assert SOURCES[weight_i.argmax()] == CARRIERS[name]
