import os
from contextlib import suppress
from pathlib import Path

import pytest

from foldproof.tasks.files import draft_of, publish


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "new" / "a.txt"
    with draft_of(place) as draft:
        draft.write_text("one")
        assert not place.exists()
        publish(draft, place)
    assert place.read_text() == "one"
    with suppress(RuntimeError), draft_of(place) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert place.read_text() == "one"
    assert os.listdir(place.parent) == ["a.txt"]


def test_a_folder_is_published_with_its_content_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda h: (events.append(("sync", os.readlink(f"/proc/self/fd/{h}"))), sync(h))
    )
    monkeypatch.setattr(
        os, "replace", lambda a, b: (events.append(("move", str(b))), replace(a, b))
    )
    place = tmp_path / "folder"
    with draft_of(place) as draft:
        (draft / "sub").mkdir(parents=True)
        (draft / "sub" / "a").write_text("x")
        publish(draft, place)
    kinds = [kind for kind, _ in events]
    assert kinds == ["sync", "sync", "sync", "move", "sync"]
    assert events[-1] == ("sync", str(tmp_path))
    assert {Path(name).name for kind, name in events[:3]} == {"sub", "a", "draft"}
    assert (place / "sub" / "a").read_text() == "x"


def test_a_full_folder_is_not_replaced(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    (place / "a").write_text("old")
    with draft_of(place) as draft:
        draft.mkdir()
        with pytest.raises(OSError, match="not empty"):
            publish(draft, place)
    assert (place / "a").read_text() == "old"
