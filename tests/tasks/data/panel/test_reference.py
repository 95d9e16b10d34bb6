"""Panels that travel to other machines."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foldproof.tasks.data import DataError, DataSpec, build, folder_of, load
from foldproof.tasks.data.panel.kept_rows import FILE
from foldproof.tasks.data.panel.panel import ARRAYS
from foldproof.tasks.data.panel.reference import PanelRef, fetched, is_panel, stored
from foldproof.tasks.data.spec import SyntheticSpec
from foldproof.tasks.storage import StorageError


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    spec = DataSpec(
        source="linear", features="ready", min_history=10,
        synthetic=SyntheticSpec(days=60, symbols=4, n_features=4),
    )  # fmt: skip
    cache = tmp_path / "lead" / "panels"
    return folder_of(build(spec, cache=cache), cache)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "worker" / "panels"


@pytest.fixture
def ref(panel: Path, tmp_path: Path) -> PanelRef:
    return stored(panel, str(tmp_path / "shared"))


def test_a_fetched_panel_equals_the_stored_one_with_its_rows(
    panel: Path, ref: PanelRef, cache: Path
) -> None:
    found = fetched(ref, cache)
    assert found == cache / panel.name
    assert is_panel(found)
    one, other = load(panel), load(found)
    assert one.fingerprint == other.fingerprint
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (found / FILE).read_bytes() == (panel / FILE).read_bytes()


def test_a_panel_is_fetched_once(ref: PanelRef, cache: Path, tmp_path: Path) -> None:
    fetched(ref, cache)
    shutil.rmtree(tmp_path / "shared")
    assert fetched(ref, cache).parent == cache


def test_a_changed_file_is_refused_and_leaves_nothing(
    panel: Path, ref: PanelRef, cache: Path, tmp_path: Path
) -> None:
    file = next((tmp_path / "shared").rglob("target.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"target\.npy has changed since it was stored: delete"):
        fetched(ref, cache)
    assert not (cache / panel.name).exists()
    assert not [*cache.glob(".draft-*")]


def test_another_panel_under_the_same_name_is_replaced(
    panel: Path, ref: PanelRef, cache: Path
) -> None:
    shutil.copytree(panel, cache / panel.name)
    notes = cache / panel.name / "panel.json"
    notes.write_text(notes.read_text().replace(ref.fingerprint, "0" * 64))
    assert load(fetched(ref, cache)).fingerprint == ref.fingerprint


def test_a_name_that_leaves_the_folder_is_refused(ref: PanelRef, cache: Path) -> None:
    outside = replace(ref, files=(("../outside", ref.files[0][1]),))
    with pytest.raises(DataError, match="is not a name of a file"):
        fetched(outside, cache)


def test_without_a_storage_the_folder_itself_is_read(
    panel: Path, cache: Path, tmp_path: Path
) -> None:
    ref = stored(panel, None)
    assert fetched(ref, cache) == panel
    elsewhere = replace(ref, folder=str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"set compute\.storage to a folder or an address"):
        fetched(elsewhere, cache)


def test_a_storage_that_lost_the_panel_is_one_sentence(
    ref: PanelRef, cache: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "shared")
    with pytest.raises(StorageError, match=r"cannot be used: there is no .*\.npy"):
        fetched(ref, cache)
