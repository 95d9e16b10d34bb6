import gzip
from pathlib import Path

import pytest

from foldproof.tasks.data.forms import text
from foldproof.tasks.data.forms.text import UnreadableError, is_number, text_form


def form(content: str | bytes, folder: Path, name: str = "p.csv") -> text.TextForm:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return text_form(path)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("1", True), ("-1.5", True), ("1e-5", True), ("1,234.5", True), ("1.234,5", True),
     ("1 234,5", True), ("1'234.50", True), ("12,5", True), ("AAA", False), ("1.2.2020", False),
     ("2020-01-02", False), ("", False), ("1.25M", False)],
)  # fmt: skip
def test_numbers_in_all_writings(cell: str, expected: bool) -> None:
    assert is_number(cell) == expected


def test_a_plain_file_has_no_options(tmp_path: Path) -> None:
    found = form("date,symbol,close\n2020-01-02,A,1.5\n2020-01-03,A,1000\n", tmp_path)
    assert (dict(found.options), found.said, found.header) == ({}, (), True)
    assert found.cells[1] == ["2020-01-02", "A", "1.5"]


def test_quoted_separators_and_line_breaks_are_part_of_a_cell(tmp_path: Path) -> None:
    rows = '2020-01-02,"A, Inc\nLtd",1.5\n2020-01-03,"B, Co",2.5\n'
    found = form("date,name,close\n" + rows, tmp_path)
    assert dict(found.options) == {}
    assert found.cells[1] == ["2020-01-02", "A, Inc\nLtd", "1.5"]


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (["1,5", "2,5"], {"decimal": ","}),
        (["1.234,5", "2,5"], {"decimal": ",", "thousands": "."}),
        (["1\u202f234,5", "2,5"], {"decimal": ",", "thousands": "\u202f"}),
        (["1,234.5", "2.5"], {"thousands": ","}),
        (["1'234.5", "2.5"], {"thousands": "'"}),
        (["22,500", "1,750"], {"decimal": ","}),
        (["1.5", "2.5"], {}),
        (["10", "20"], {}),
        (["1.5", "-"], {"na_values": ["-"]}),
    ],
)
def test_signs_of_numbers_between_semicolons(
    cells: list[str], options: dict[str, object], tmp_path: Path
) -> None:
    content = "date;close\n" + "".join(f"2020-01-0{k};{cell}\n" for k, cell in enumerate(cells, 2))
    assert dict(form(content, tmp_path).options) == {"sep": ";"} | options


def test_between_commas_quoted_thousands_are_thousands(tmp_path: Path) -> None:
    found = form('date,close\n2020-01-02,"1,234.5"\n2020-01-03,"1,235"\n', tmp_path)
    assert dict(found.options) == {"thousands": ","}


def test_a_long_file_is_recognized_by_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "MOST_BYTES", 200)
    content = b"date;close\n" + b"2020-01-02;1,5\n2020-01-03;2,5\n" * 100
    for name, written in (("p.csv", content), ("p.csv.gz", gzip.compress(content))):
        found = form(written, tmp_path, name)
        assert dict(found.options) == {"sep": ";", "decimal": ","}
        assert len(found.cells) < 20


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "the file is empty"), ("\n \n", "the file is empty"), ("one\ntwo\n", "no separator")],
)
def test_a_file_without_a_table_is_refused(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=said):
        form(content, tmp_path)


def test_a_longer_row_is_no_footer(tmp_path: Path) -> None:
    """Cutting it off would drop a day."""
    content = "date,symbol,close\n" + "2020-01-02,A,1\n" * 5 + "2020-01-03,A,1,2,3\n"
    assert dict(form(content, tmp_path).options) == {}
