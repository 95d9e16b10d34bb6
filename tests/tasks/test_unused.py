import os
from datetime import timedelta
from pathlib import Path

import pytest

from foldproof.tasks.files import mark_used
from foldproof.tasks.unused import Unused, duration, remove, summary, unused

DAY = 86_400.0
NOW = 1_700_000_000.0


def aged(path: Path, days: float, content: str = "x" * 1000) -> Path:
    """A file that was last written and read some days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    for one in (path, path.parent):
        os.utime(one, (NOW - days * DAY,) * 2)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    aged(tmp_path / "panels" / "panel-old" / "notes.json", 40)
    aged(tmp_path / "panels" / "panel-new" / "notes.json", 3)
    aged(tmp_path / "panels" / ".draft-abc" / "draft", 50)
    aged(tmp_path / "results" / "train-old", 31)
    aged(tmp_path / "results" / "train-new", 29)
    aged(tmp_path / "scores" / "model" / "2020-01-01.parquet", 400)
    aged(tmp_path / "scores" / "model" / "2019-12-31.parquet", 35)
    aged(tmp_path / "scores" / "another" / "2019-12-31.parquet", 400)
    aged(tmp_path / "mlflow.db", 400)
    return tmp_path


def names(found: list[Unused]) -> list[str]:
    return [one.path.name for one in found]


def test_only_what_can_be_made_again_and_was_not_used_goes(home: Path) -> None:
    found = unused(home, duration("30d"), NOW)
    assert names(found) == [".draft-abc", "panel-old", "2019-12-31.parquet", "train-old"]
    assert summary(found) == (
        "1 panel (0.0 MB), 1 result (0.0 MB), 1 night of scores (0.0 MB) "
        "and 1 unfinished file (0.0 MB)"
    )
    assert [one.size for one in found] == [1000] * 4
    remove(found)
    left = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert left == {
        "panels/panel-new/notes.json", "results/train-new",
        "scores/model/2020-01-01.parquet", "scores/another/2019-12-31.parquet", "mlflow.db",
    }  # fmt: skip
    remove(found)  # a second time is not an error


def test_a_use_is_noted_without_a_change_of_the_file(home: Path) -> None:
    before = (home / "results" / "train-old").stat().st_mtime_ns
    mark_used(home / "results" / "train-old")
    mark_used(home / "panels" / "panel-old" / "notes.json")
    mark_used(home / "nowhere")
    assert (home / "results" / "train-old").stat().st_mtime_ns == before
    assert names(unused(home, duration("30d"), NOW)) == [".draft-abc", "2019-12-31.parquet"]


def test_links_are_left_alone(home: Path, tmp_path: Path) -> None:
    elsewhere = aged(tmp_path / "elsewhere" / "file", 90)
    (home / "panels" / "panel-link").symlink_to(elsewhere.parent)
    assert "panel-link" not in names(unused(home, timedelta(0)))


@pytest.mark.parametrize(
    ("text", "span"), [("12h", timedelta(hours=12)), ("30d", timedelta(30)), ("0d", timedelta(0)),
                       ("2w", timedelta(14))],
)  # fmt: skip
def test_spans_of_time(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "d", "30", "-1d", "1.5d", "30 d", "٣d", "9999999d", "30m"])
def test_other_texts_are_no_spans(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time; write it as 12h, 30d or 2w"):
        duration(text)
