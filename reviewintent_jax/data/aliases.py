"""Serves stage 4, labelled: other spellings of a label, as the config declares them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from reviewintent_jax.schema import InputError

_ARROW = "->"


def fold(raw: str) -> str:
    """Case and white space do not make a different label."""
    return " ".join(raw.split()).casefold()


def parse_aliases(declared: Sequence[str]) -> dict[str, str]:
    """Folded spelling -> the label it stands for.

    >>> parse_aliases(("PI -> yes", "Not  sure -> undefined"))
    {'pi': 'yes', 'not sure': 'undefined'}

    Raises:
      InputError: one is not "written -> label", is declared twice, or is led on to
        another alias.
    """
    table: dict[str, str] = {}
    for alias in declared:
        written, arrow, label = (part.strip() for part in alias.partition(_ARROW))
        if not (written and arrow and label) or fold(written) in table:
            raise InputError(
                f"The alias {alias!r} is not 'written {_ARROW} label', or declares a "
                "spelling again.",
                where="field labels.aliases",
                fix="""For instance --config.labels.aliases="('PI -> yes',)".""",
            )
        table[fold(written)] = label
    for written, label in table.items():
        if fold(label) in table:
            raise InputError(
                f"The alias {written!r} leads to {label!r}, which is an alias itself.",
                where="field labels.aliases",
            )
    return table


def translated(counts: Mapping[str, int], table: Mapping[str, str]) -> dict[str, str]:
    """Raw label -> the label it stands for, for those that are aliases.

    >>> translated({"PI": 151, "yes": 462, "pi ": 1}, {"pi": "yes"})
    {'PI': 'yes', 'pi ': 'yes'}

    Raises:
      InputError: a declared spelling does not occur, so it is misspelt.
    """
    found = {raw: table[fold(raw)] for raw in counts if fold(raw) in table}
    absent = table.keys() - {fold(raw) for raw in found}
    if absent:
        raise InputError(
            f"No row carries the label {sorted(absent)[0]!r}, declared as an alias.",
            where="field labels.aliases",
            fix=f"There are: {', '.join(sorted(counts)[:10])}.",
        )
    return found


def merged(counts: Mapping[str, int], means: Mapping[str, str]) -> dict[str, int]:
    """Counts after translation.

    >>> merged({"PI": 151, "yes": 462}, {"PI": "yes"})
    {'yes': 613}
    """
    total: Counter[str] = Counter()
    for raw, rows in counts.items():
        total[means.get(raw, raw)] += rows
    return dict(total)
