"""Anonymous stocks of the studies of portfolio selection, from the package universal-portfolios.

The package is not imported: only its files are read, and its dependencies exclude pandas 3.
"""

import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import DataError, Rows
from foldproof.tasks.data.spec import DataSpec

PACKAGE = "universal-portfolios"
TESTED = "0.4.17"
FOLDER = Path(".foldproof", "sources")
"""Files of other packages that ``make panels`` places in the working directory."""


def load_portfolio(spec: DataSpec, name: str, first_day: str) -> Rows:
    """Long rows of a file of cumulated price relatives.

    Args:
        spec: The settings of the panel.
        name: The file's name without extension.
        first_day: First trading day of the period. The file has no dates: its rows are put on
            consecutive business days, so that holidays push later rows to earlier dates.

    Raises:
        DataError: The package is not installed, or its file is not such a table.
    """
    file = installed_file(f"universal/data/{name}.csv", spec.source)
    wide = pd.read_csv(file, header=None, skiprows=1)
    if not len(wide) or any(kind.kind not in "fi" for kind in wide.dtypes):
        raise DataError(f"{file}: not a table of numbers; install {PACKAGE} again")
    wide.columns = pd.Index([f"S{k:02d}" for k in range(1, wide.shape[1] + 1)], name="symbol")
    days = np.busday_offset(np.datetime64(first_day), np.arange(len(wide)), roll="forward")
    wide.index = pd.DatetimeIndex(days, name="date").as_unit("us")
    frame = cast(pd.Series, wide.stack()).rename("price").reset_index()
    made_up = f"the file has no dates: business days from {first_day} on are put in their place"
    return Rows(frame, f"{PACKAGE}, {name}.csv", about={"warnings": [made_up]})


def installed_file(name: str, source: str) -> Path:
    """The path of a file of the package, in ``FOLDER`` or among the packages of this Python.

    Args:
        name: Path of the file inside the package's installation.
        source: The source that reads it, for the message.

    Raises:
        DataError: The package is not installed, or this version has no such file.
    """
    package = next(iter(distributions(name=PACKAGE, path=[str(FOLDER), *sys.path])), None)
    if package is None:
        raise DataError(
            f"data.source {source!r} reads a file of the package {PACKAGE}, which is not "
            f"installed: run make panels, or run pip install --no-deps {PACKAGE}"
        )
    file = Path(str(package.locate_file(name)))
    if not file.is_file():
        raise DataError(
            f"data.source {source!r}: {PACKAGE} {package.version} has no file {name}; run make "
            f"panels, or run pip install --no-deps {PACKAGE}=={TESTED}"
        )
    return file
