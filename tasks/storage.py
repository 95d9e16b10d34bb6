"""A folder or an address of fsspec (``s3://bucket/folder``) that several machines reach."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import fsspec


class StorageError(RuntimeError):
    """The storage cannot be used; the message names its address."""


def located(storage: str) -> str:
    """The storage as an absolute path, if it is a folder of this machine, or as its address.

    Raises:
        StorageError: It is an address without a place, such as ``s3://``.
    """
    scheme, separator, place = storage.partition("://")
    if not separator:
        return str(Path(storage).expanduser().resolve())
    if scheme == "file":
        return str(Path(unquote(urlsplit(storage).path)).resolve())
    if not place.split("/")[0]:
        raise StorageError(
            f"compute.storage {storage!r} names no place: write {scheme}://bucket/folder"
        )
    return storage.rstrip("/")


@contextmanager
def reached(storage: str) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """The file system of a storage, and the path in it.

    Raises:
        StorageError: The file system is unknown or not installed, or an operation inside fails.
    """
    try:
        files, path = fsspec.core.url_to_fs(located(storage))
        yield files, path
    except StorageError:
        raise
    except FileNotFoundError as error:  # fsspec's own says the path only
        missing = error.filename or error
        raise StorageError(
            f"compute.storage {storage} cannot be used: there is no {missing}"
        ) from error
    except (ImportError, ValueError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"compute.storage {storage} cannot be used: {reason}") from error


def require_storage(storage: str) -> None:
    """Raise StorageError unless files can be written to ``storage`` and read from it again."""
    note = leave_note(storage)
    try:
        read_note(storage, note)
    finally:
        remove_note(storage, note)


def leave_note(storage: str) -> str:
    """Write a small file with its own name in it; returns the name."""
    name = f"note-{uuid4().hex}"
    with reached(storage) as (files, path):
        files.makedirs(path, exist_ok=True)
        files.pipe_file(f"{path}/{name}", name.encode())
    return name


def read_note(storage: str, name: str) -> None:
    """Raise StorageError unless ``storage`` holds the file of :func:`leave_note`."""
    with reached(storage) as (files, path):
        if files.cat_file(f"{path}/{name}") != name.encode():
            raise StorageError(f"compute.storage {storage} does not return what was written to it")


def remove_note(storage: str, name: str) -> None:
    """Remove the file of :func:`leave_note`."""
    with reached(storage) as (files, path):
        files.rm_file(f"{path}/{name}")


def present(storage: str, name: str) -> bool:
    """Whether ``storage`` holds a file ``name``."""
    with reached(storage) as (files, path):
        return bool(files.exists(f"{path}/{name}"))


def put(file: Path, storage: str, name: str) -> None:
    """Copy a local file to ``name`` below ``storage``.

    A reader must not take half a file for a whole one: the caller publishes the names last.
    """
    with reached(storage) as (files, path):
        target = f"{path}/{name}"
        files.makedirs(os.path.dirname(target), exist_ok=True)
        files.put_file(str(file), target)


def get(storage: str, name: str, file: Path) -> None:
    """Copy ``name`` below ``storage`` to a local file."""
    with reached(storage) as (files, path):
        files.get_file(f"{path}/{name}", str(file))
