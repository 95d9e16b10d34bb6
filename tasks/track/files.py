"""The files of a run or of a folder of results, each from one value."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

File = tuple[str, str | bytes | pd.DataFrame | Callable[[Path], object]]
"""The name of a file below its folder, and what it holds; a function writes the file itself."""


def write_files(files: Iterable[File], folder: Path) -> None:
    """Write files to ``folder``; tables as CSV or Parquet by their name, without their index."""
    for name, content in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            write = content.to_csv if file.suffix == ".csv" else content.to_parquet
            write(file, index=False)
        elif callable(content):
            content(file)
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
