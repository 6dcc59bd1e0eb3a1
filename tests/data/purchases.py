"""A shop's purchases and customers for tests of cases, and the cases made of them."""

import numpy as np
import pandas as pd

from configs import msdp
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_msdp import read_msdp_config
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.msdp_build import build_cases

DAY = 86_400
CUTS = ("2020-04-01", "2020-08-01")


def write_purchases(path, *, customers=60, seed=0):
    """Purchases of a year; every fourth is a return of what was bought before."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        moment = np.datetime64("2020-01-01") + int(rng.integers(0, 60))
        for order in range(int(rng.integers(1, 9))):
            name = f"C{customer}-{order}"
            for line in range(int(rng.integers(1, 3))):
                amount = -1 if order % 4 == 3 else int(rng.integers(1, 5))
                price = round(float(rng.uniform(1, 20)), 2)
                rows.append((f"C{customer}", str(moment), name, f"I{line}", price,
                             amount, f"note {name}" if line == 0 else ""))  # fmt: skip
            moment = moment + int(rng.integers(1, 70))
    columns = ["who", "when", "order", "item", "price", "count", "note"]
    table = pd.DataFrame(rows, columns=columns)
    table[table["when"] < "2020-12-31"].to_csv(path, index=False)
    return path


def write_customers(path, *, customers=60, seed=1):
    """A row for each customer, and for one who never bought."""
    rng = np.random.default_rng(seed)
    names = [f"C{n}" for n in range(customers)] + ["new"]
    table = pd.DataFrame(
        {
            "who": names,
            "land": rng.choice(["de", "fr", ""], len(names)),
            "age": rng.integers(18, 80, len(names)),
            "since": "2019-05-01",
        }
    )
    table.loc[3, "age"] = None
    table.to_csv(path, index=False)
    return path


def purchase_config(tmp_path, *, customers=60):
    """A config of both tables, asked whether, how much and when at two cuts."""
    config = msdp.get_config()
    config.data.update(
        path=str(write_customers(tmp_path / "customers.csv", customers=customers)),
        subject="who",
        categories=("land",),
        numbers=("age",),
        dates=("since",),
    )
    config.events.update(
        path=str(write_purchases(tmp_path / "purchases.csv", customers=customers)),
        subject="who",
        time="when",
        order="order",
        item="item",
        value="price",
        quantity="count",
        texts=("note",),
        targets=("purchase",),
        recent=4,
        recent_texts=2,
        summaries=True,
    )
    config.cuts.dates = CUTS
    config.targets.update(
        horizon_days=60,
        intent="events",
        value="events",
        time="events",
        interval_days=(10.0, 30.0, 60.0),
    )
    return config


def schema_of(config):
    """The declaration of a config."""
    return read_msdp_config(plain_values(config)).schema()


def cases_of(config, tmp_path, build=build_cases):
    """The cases of a config."""
    with RejectionLog(tmp_path / "rejected.jsonl") as log:
        return build(schema_of(config), log)


def orders_of(path):
    """Plain orders: who -> [(second, value, kind)], oldest first."""
    table = pd.read_csv(path)
    table["worth"] = table["price"] * table["count"]
    found = {}
    for (who, _), lines in table.groupby(["who", "order"]):
        moment = int(np.datetime64(lines["when"].iloc[0], "s").astype(np.int64))
        worth = lines["worth"].sum()
        kind = "return" if worth < 0 else "purchase"
        found.setdefault(who, []).append((moment, worth, kind))
    return {who: sorted(orders) for who, orders in found.items()}
