"""Each table is read with the right values, mended by the line in its message, or refused."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldproof.flows.commands.init import save
from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec, Panel, TargetSpec, build
from foldproof.tasks.data.forms.recognize import BY_PANDAS, recognized
from tests.tables.exports import CONVERTED, READ, REFUSED, VOLUME, Export, long, text
from tests.tables.market import expected

TARGET = TargetSpec(1, "return")


def made(path: str, columns: Mapping[str, Any], query: str | None = None) -> Panel:
    """The panel of a file or query, with its closes and volumes as features."""
    settings = {
        "columns": ColumnsSpec(**columns), "features": "tests.tables.market:closes",
        "min_history": 1, "fill_limit": 0,
    }  # fmt: skip
    if query is None:
        return build(DataSpec("file", path, **settings), TARGET)
    address = {".db": f"sqlite:///{path}", ".duckdb": path}.get(Path(path).suffix)
    return build(DataSpec("query", address, query=query.format(path=path), **settings), TARGET)


def agrees(panel: Panel, export: Export, tolerance: float = 1e-6) -> None:
    """The panel holds the market, cell for cell."""
    right = expected(None if export.symbols is None else dict(export.symbols))
    names = ("feature_price", "feature_volume")[: 1 + export.volume]
    assert panel.features == names
    np.testing.assert_array_equal(panel.dates, right["dates"])
    np.testing.assert_array_equal(panel.symbols, right["symbols"])
    np.testing.assert_allclose(panel.values[..., 0], right["price"], rtol=tolerance)
    if export.volume:
        np.testing.assert_array_equal(panel.values[..., 1], right["volume"])
    np.testing.assert_allclose(panel.target, right["target"], atol=1e-5)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", READ)
def test_a_table_is_read_as_it_is(name: str, folder: Path) -> None:
    export = READ[name]
    if "DuckDB" in name:
        pytest.importorskip("duckdb")
    export.write(folder / export.file)
    panel = made(export.file, export.columns, export.query)
    agrees(panel, export)
    said = "; ".join(panel.about["warnings"])
    assert re.search(export.says, said), said
    assert bool(said) == bool(export.says)


@pytest.mark.parametrize("name", [name for name in READ if READ[name].query is None])
def test_init_finds_the_columns_of_a_table_that_is_read(name: str, folder: Path) -> None:
    """The same roles as a user would set; its price may be the adjusted one beside."""
    export = READ[name]
    export.write(folder / export.file)
    form = recognized(export.file)
    assert form.chain is None, form.said
    agrees(made(export.file, form.roles), export)


@pytest.mark.parametrize("name", CONVERTED)
def test_the_message_names_the_cause_and_its_line_mends_the_table(name: str, folder: Path) -> None:
    export = CONVERTED[name]
    export.write(folder / export.file)
    with pytest.raises(DataError) as error:
        made(export.file, export.columns)
    said, form = str(error.value), recognized(export.file)
    assert said == form.mending
    assert "\n" not in said
    assert said.startswith(f"{export.file}: ")
    assert re.search(export.says, said), said
    exec(said.partition("(import pandas as pd) ")[2], {"pd": pd, "Path": Path})
    agrees(made(form.long_name, form.roles), export)


@pytest.mark.parametrize("name", CONVERTED)
def test_init_does_what_the_line_does(name: str, folder: Path) -> None:
    export = CONVERTED[name]
    export.write(folder / export.file)
    form = recognized(export.file)
    exec(form.line, {"pd": pd, "Path": Path})
    by_hand = Path(form.long_name).read_bytes()
    save(form, Path("copy").with_suffix(Path(form.long_name).suffix))
    assert next(folder.glob("copy.*")).read_bytes() == by_hand


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_without_a_panel_is_refused_with_its_cause(name: str, folder: Path) -> None:
    export = REFUSED[name]
    export.write(folder / export.file)
    with pytest.raises(DataError) as error:
        made(export.file, export.columns)
    said = str(error.value)
    assert re.search(export.says, said), said
    assert "\n" not in said
    assert export.file in said


WRITTEN_BY_PANDAS = {
    ".json": lambda table, name: table.to_json(name, orient="records", date_format="iso"),
    ".dta": lambda table, name: table.to_stata(name, write_index=False),
    ".h5": lambda table, name: table.to_hdf(name, key="prices"),
    ".xlsx": lambda table, name: table.to_excel(name, index=False),
}


@pytest.mark.parametrize("suffix", WRITTEN_BY_PANDAS)
def test_the_line_for_a_file_that_only_pandas_reads_makes_the_panel(
    suffix: str, folder: Path
) -> None:
    needed = BY_PANDAS[suffix][2]
    if needed:
        pytest.importorskip(needed)
    name = f"p{suffix}"
    WRITTEN_BY_PANDAS[suffix](long(), name)
    with pytest.raises(DataError) as error:
        made(name, VOLUME)
    exec(str(error.value).partition("(import pandas as pd) ")[2], {"pd": pd})
    agrees(made("p_long.parquet", VOLUME), Export(name, text(b""), ""))


def test_there_are_at_least_sixty_tables() -> None:
    assert len(READ) + len(CONVERTED) + len(REFUSED) >= 60
    assert not {*READ} & {*CONVERTED} & {*REFUSED}
