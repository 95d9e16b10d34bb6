"""A commented configuration for a user's own table, which runs as it is."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from foldproof.tasks.data import FEATURES, DataError

LOOKBACK = max(feature.lookback for feature in FEATURES.values())
"""Dates before the built-in features have a value."""
USUAL = {"train": 504, "validation": 126, "test": 126}
LEAST = {"train": 80, "validation": 20, "test": 30}
"""Sizes of the blocks in dates: where there is enough history, and the smallest ones."""
HORIZON, EMBARGO, MOST_FOLDS = 5, 5, 4
GAPS = 3 * (HORIZON + 1 + EMBARGO)
"""Dates that purge and embargo take from a fold, at most."""


def split_of(dates: int, origin: str) -> dict[str, int]:
    """Sizes of the blocks and the number of newest folds for a table of ``dates`` dates.

    Raises:
        DataError: They are too few for one fold behind the look-back of the features.
    """
    usable = dates - LOOKBACK - GAPS
    least = sum(LEAST.values())
    if usable < least:
        raise DataError(
            f"{origin}: {dates} dates are too few for a comparison, which needs "
            f"{LOOKBACK + GAPS + least}: provide more history"
        )
    part = min(1.0, usable / (sum(USUAL.values()) + USUAL["test"]))
    sizes = {name: max(LEAST[name], int(part * size)) for name, size in USUAL.items()}
    folds = 1 + max(0, usable - sum(sizes.values())) // sizes["test"]
    return sizes | {"embargo": EMBARGO, "keep": min(MOST_FOLDS, folds)}


def starter(table: str, path: str, roles: Mapping[str, str], dates: int, seen: str) -> str:
    """The text of a configuration for a user's table.

    Args:
        table: The user's file.
        path: The long table of it, as the working directory finds it.
        roles: Role -> its column.
        dates: Number of its dates.
        seen: What was found in it, for a comment.

    Raises:
        DataError: The dates are too few.
    """
    split = split_of(dates, table)
    columns = "\n".join(f"    {role}: {scalar(name)}" for role, name in roles.items())
    sizes = ", ".join(f"{name}: {size}" for name, size in split.items())
    return f"""\
# Written by foldproof init for {table}: {seen}.
# All other settings have defaults; conf/README.md of Foldproof lists every key.
name: {scalar(Path(table).name.partition(".")[0])}

data:
  source: file
  path: {scalar(path)}
  columns:                # role: column of the file; the price must be adjusted for splits
{columns}
  features: price         # built-in causal features; ready: the file's other numeric columns;
                          # package.module:function: your own, found in the working directory
  min_history: 252        # symbols with fewer rows are dropped

target:
  horizon: {HORIZON}              # dates, from the next close on
  kind: cs_zscore         # return, market_relative, cs_zscore, cs_rank

# Blocks in dates; the newest folds.
split: {{{sizes}}}

variants:
  - none
  - zscore
  - cs_rank
  - layer_norm
  - full_sample_zscore    # leaks on purpose: the audit must detect it

training: {{epochs: 8, patience: 2}}
"""


def scalar(value: str) -> str:
    """A text as YAML writes it, quoted where needed."""
    return yaml.safe_dump(value, allow_unicode=True, width=10_000).splitlines()[0]
