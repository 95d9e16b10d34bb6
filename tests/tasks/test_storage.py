"""Folders and addresses that several machines reach."""

import re
from pathlib import Path

import pytest

from foldproof.tasks.storage import (
    StorageError,
    get,
    leave_note,
    located,
    put,
    read_note,
    require_storage,
)


@pytest.mark.parametrize("address", ["{folder}", "file://{folder}", "memory://shared{folder}"])
def test_a_file_comes_back_from_a_storage(address: str, tmp_path: Path) -> None:
    storage = address.format(folder=tmp_path / "a place")
    require_storage(storage)
    (tmp_path / "one").write_bytes(b"prices")
    put(tmp_path / "one", storage, "panels/key/one")
    get(storage, "panels/key/one", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"prices"
    assert not [*tmp_path.rglob("note-*")]


def test_a_relative_folder_is_that_of_the_working_directory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert located("shared") == str(tmp_path / "shared")
    assert located((tmp_path / "with a space").as_uri()) == str(tmp_path / "with a space")
    assert located("s3://bucket/folder/") == "s3://bucket/folder"


def test_another_folder_does_not_hold_the_note(tmp_path: Path) -> None:
    """As on a machine that has a folder of the same name."""
    note = leave_note(str(tmp_path / "one"))
    with pytest.raises(StorageError, match=r"cannot be used: there is no .*note-"):
        read_note(str(tmp_path / "other"), note)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("s3://", "compute.storage 's3://' names no place: write s3://bucket/folder"),
        ("teapot://bucket", "compute.storage teapot://bucket cannot be used: Protocol not known"),
        ("{file}/below", "cannot be used: "),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_sentence(
    storage: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=re.escape(message)) as caught:
        require_storage(storage.format(file=tmp_path / "file"))
    assert "\n" not in str(caught.value)
