import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from foldproof.tasks.markdown import escaped, markdown_table
from tests.tasks.names import NASTY, any_name

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[str]:
    """The text of each inline block as a reader sees it; anything but text fails."""
    found = []
    for token in READER.parse(markdown):
        assert token.type not in ("fence", "code_block", "html_block", "heading_open"), token
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "softbreak"}, (kinds, markdown)
            found.append("".join(child.content for child in token.children or ()))
    return found


def as_read(name: str) -> str:
    """``name`` without the blanks at its ends, which Markdown trims."""
    return re.sub(r"^\s+|\s+$", "", name)


@pytest.mark.parametrize("name", [name for name in NASTY if as_read(name)])
def test_a_nasty_name_reads_as_it_is_written(name: str) -> None:
    assert shown(escaped(name)) == [name]
    assert shown(markdown_table(["feature", name], [[name, "1"]])) == ["feature", name, name, "1"]


@given(any_name)
def test_any_name_reads_as_it_is_written(name: str) -> None:
    said = f"leads: {name}, by far"
    assert shown(escaped(said)) == [said]
    table = markdown_table(["a", "b"], [[name, "1"]])
    assert shown(table) == ["a", "b", *([as_read(name)] if as_read(name) else [""]), "1"]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_no_name_adds_a_line(text: str) -> None:
    assert len(markdown_table(["a"], [[text]]).splitlines()) == 3
    assert len(escaped(text).splitlines()) <= 1


def test_ordinary_texts_stay_as_they_are() -> None:
    for text in ("momentum_252_21", "+0.0123 [-0.01, 0.02]", "S&P 500, p < 0.05"[:7], "2 of 3."):
        assert escaped(text) == text


def test_a_table_in_markdown() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
