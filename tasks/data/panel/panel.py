"""The panel: dense dates x symbols x features with a fingerprint, memory-mapped from disk."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldproof.tasks.data.panel.calendars import check_horizon, lost_labels
from foldproof.tasks.data.panel.kept_rows import keep_rows
from foldproof.tasks.data.panel.layout import ARRAYS, fingerprint, panel_arrays
from foldproof.tasks.data.panel.newest import newest, note_newest, row_hashes
from foldproof.tasks.data.panel.read import accepted, features_version, read
from foldproof.tasks.data.rows import DataError, Rows
from foldproof.tasks.data.sources.files import flat, in_roles
from foldproof.tasks.data.spec import ColumnsSpec, DataSpec, TargetSpec
from foldproof.tasks.files import draft_of, mark_used, publish
from foldproof.tasks.version import code_version

NOTES = "panel.json"


@dataclass(frozen=True, eq=False)
class Panel:
    """A checked stock panel; every array is read-only and may be a memory map.

    Missing cells are NaN. Row d holds what was known at the close of ``dates[d]``.

    Attributes:
        dates: (D,) datetime64[D], strictly increasing trading days.
        symbols: (S,) str.
        features: F names.
        values: (D, S, F) float32 features.
        target: (D, S) float32, what is forecast at the close of d; NaN where unknown.
        label_end: (D,) datetime64[D], date on which the labels of row d become known; NaT if that
            lies beyond the data.
        member: (D, S) bool, whether the symbol is in the universe and was observed on that day.
        fingerprint: SHA-256 of the content and of the settings (source, features, target).
        about: Facts for the report: source, notes, terms of use, warnings with counts.
    """

    dates: np.ndarray
    symbols: np.ndarray
    features: tuple[str, ...]
    values: np.ndarray
    target: np.ndarray
    label_end: np.ndarray
    member: np.ndarray
    fingerprint: str
    about: dict[str, Any] = field(default_factory=dict)


def build(
    spec: DataSpec,
    target: TargetSpec = TargetSpec(),  # noqa: B008  # frozen
    now: date | None = None,
    cache: Path | None = None,
) -> Panel:
    """Read and check the rows of ``spec`` and make them a panel, or find it in ``cache``.

    Args:
        spec: Source and features.
        target: What is forecast.
        now: No row may be dated later; None for today.
        cache: Folder of panels. A panel of the same rows, specs and code is loaded from it. With
            ``spec.incremental`` the checked rows are kept in it, too.

    Raises:
        DataError: What is wrong with the data, where, and what to do.
    """
    return panel_of(read(spec, now, cache), spec, target, cache)


def from_frame(
    frame: pd.DataFrame,
    columns: ColumnsSpec = ColumnsSpec(),  # noqa: B008  # frozen
    target: TargetSpec = TargetSpec(),  # noqa: B008  # frozen
    now: date | None = None,
    **settings: Any,
) -> Panel:
    """Build a panel from a long table in memory, with the checks that a file gets.

    Args:
        frame: One row per date and symbol.
        columns: Roles of its columns.
        target: What is forecast.
        now: No row may be dated later; None for today.
        **settings: Further fields of DataSpec: features, start, end, fill_limit, min_history.

    Raises:
        DataError: What is wrong with the data, where, and what to do.
    """
    spec = DataSpec(source="file", path="a table in memory", columns=columns, **settings)
    about = {"source": "frame", "title": "A table in memory", "notes": "", "terms": ""}
    origin = Rows(flat(frame), "the table", about=about)
    return panel_of(accepted(in_roles(origin, spec), spec, spec.start, now), spec, target, None)


def panel_of(rows: Rows, spec: DataSpec, target: TargetSpec, cache: Path | None) -> Panel:
    """The panel of checked rows, from ``cache`` if it is there."""
    content, settings = row_hashes(rows.frame), settings_hash(rows, spec, target)
    about = json.dumps(rows.about, default=str, sort_keys=True)
    key = fingerprint([settings, str(spec.end), about], [content])[:20]
    found = kept(cache / f"panel-{key}") if cache else None
    if found is not None:
        return found
    before = newest(cache, settings, content) if cache else None
    earlier = kept(cache / before) if cache and before else None
    layout = None
    if earlier is not None:
        layout = earlier.features, {name: getattr(earlier, name) for name in ARRAYS}
    names, arrays = panel_arrays(rows, spec, target, layout)
    decides = [names, rows.about["source"], spec.features, asdict(target)]
    digest = fingerprint(decides, (arrays[name] for name in ARRAYS))
    if "target" in rows.frame:
        noted = check_horizon(arrays["dates"], arrays["label_end"], target.horizon)
    else:
        noted = lost_labels(arrays["member"], arrays["target"], arrays["label_end"])
    warnings = [*rows.about["warnings"], *noted]
    facts = rows.about | {"warnings": warnings, "key": key}
    panel = Panel(features=names, fingerprint=digest, about=facts, **arrays)
    if cache is None:
        return panel
    saved = save(panel, folder_of(panel, cache), rows.frame)
    note_newest(cache, settings, folder_of(panel, cache).name, content)
    return saved


def folder_of(panel: Panel, cache: Path) -> Path:
    """The folder of ``cache`` that holds this panel."""
    return cache / f"panel-{panel.about['key']}"


def settings_hash(rows: Rows, spec: DataSpec, target: TargetSpec) -> str:
    """Hash of the specs and the code: of everything that decides a panel except the rows."""
    about_rows = ("path", "query", "incremental", "overlap", "end")
    settings = asdict(spec) | dict.fromkeys(about_rows)
    decides = [[*rows.frame.columns], settings, asdict(target), features_version(spec)]
    text = json.dumps([decides, code_version(__name__)], default=str, sort_keys=True)
    return fingerprint(text, [])[:20]


def save(panel: Panel, folder: Path, rows: pd.DataFrame | None = None) -> Panel:
    """Write ``panel`` and its checked ``rows`` to ``folder``; return it as maps of those files.

    The files are written to another folder that is renamed at the end, so no process reads half a
    panel. If two processes save at the same time, the first folder stays.
    """
    with draft_of(folder) as draft:
        draft.mkdir()
        for array in ARRAYS:
            np.save(draft / f"{array}.npy", getattr(panel, array), allow_pickle=False)
        notes = {"features": panel.features, "fingerprint": panel.fingerprint, "about": panel.about}
        if rows is not None:
            keep_rows(rows, draft)
        (draft / NOTES).write_text(json.dumps(notes), encoding="utf-8")
        present = kept(folder)
        if folder.exists() and (present is None or present.fingerprint != panel.fingerprint):
            shutil.rmtree(folder)
        try:
            publish(draft, folder)
        except OSError:
            if kept(folder) is None:
                raise
    return load(folder)


def load(folder: Path) -> Panel:
    """The panel in ``folder``, with its arrays as read-only memory maps.

    Raises:
        DataError: The folder does not contain a complete panel.
    """
    mark_used(folder / NOTES)
    try:
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ARRAYS
        }
        text = (folder / NOTES).read_text(encoding="utf-8")
        notes = json.loads(text, object_hook=with_number_keys)
        return Panel(**notes | {"features": tuple(notes["features"])}, **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(
            f"{folder}: not a complete panel ({error}); delete the folder and build it again"
        ) from error


def kept(folder: Path) -> Panel | None:
    """The panel in ``folder``; None if it is missing or broken."""
    try:
        return load(folder)
    except DataError:
        return None


def with_number_keys(mapping: dict[str, Any]) -> dict[str | int, Any]:
    """Turn the lags of a planted truth back to numbers: the keys of JSON are always text."""
    return {int(key) if key.isdigit() else key: value for key, value in mapping.items()}
