"""``foldproof init``: from a file of prices to a configuration that runs."""

import shlex
from pathlib import Path

import typer

from foldproof.conf.load import load
from foldproof.conf.starter import starter
from foldproof.flows.commands.shell import fail
from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec, build
from foldproof.tasks.data.forms.recognize import recognized
from foldproof.tasks.data.forms.shapes import Form
from foldproof.tasks.data.forms.text import UnreadableError
from foldproof.tasks.data.rows import first_line
from foldproof.tasks.program import program

NEEDED = ("date", "symbol", "price")


def write_configuration(name: str, force: bool) -> Path:
    """Write a configuration beside a table, and a long copy of the table where it needs one.

    Nothing is written unless the panel and its folds can be built.

    Args:
        name: A file, or a folder with a file for each symbol.
        force: Whether files of an earlier run are overwritten.

    Returns:
        The configuration's file.
    """
    try:
        form = recognized(name)
    except UnreadableError as error:
        fail(f"{name}: {error}")
    missing = [role for role in NEEDED if role not in form.roles]
    if missing:
        fail(f"{name}: no column is recognized as {missing[0]}; name it {missing[0]} in the header")
    target = Path(name).with_name(Path(name).name.partition(".")[0] + ".yaml")
    copy = None if form.chain is None else Path(form.long_name)
    for file in (target, copy):
        if file is not None and file.exists() and not force:
            fail(f"{file} is there already; overwrite it with --force, or move it")
    try:
        lines = written(name, form, target, copy)
    except (DataError, OSError) as error:
        fail(error)
    for line in lines:
        typer.echo(line)
    return target


def written(name: str, form: Form, target: Path, copy: Path | None) -> list[str]:
    """Write the files; what was understood, and what to do next.

    Raises:
        DataError: The table cannot be used.
    """
    path = name
    before = None if copy is None or not copy.exists() else copy.read_bytes()
    if copy is not None:
        path = str(copy)
        save(form, copy)
    try:
        spec = DataSpec(source="file", path=path, columns=columns_of(form))
        panel = build(spec)
        days, symbols = panel.target.shape
        seen = f"{symbols} symbols on {days} dates, {panel.dates[0]} to {panel.dates[-1]}"
        text = starter(name, path, form.roles, days, seen)
    except BaseException:
        if copy is not None:
            copy.unlink() if before is None else copy.write_bytes(before)
        raise
    target.write_text(text, encoding="utf-8")
    experiment = load(target)
    folds = experiment.split.folds(panel.dates, panel.label_end)
    command = program("foldproof", "foldproof.flows")
    roles = ", ".join(f"{role} {column!r}" for role, column in form.roles.items())
    return [
        f"{name}: {'; '.join(form.said) or 'a long table, read as it is'}",
        f"columns: {roles}",
        f"{seen}; {len(folds)} folds",
        *(f"warning: {text}" for text in panel.about["warnings"]),
        *([] if copy is None else [f"wrote {copy}, the long table of it"]),
        f"wrote {target}; next: {command} compare {shlex.quote(str(target))}",
    ]


def columns_of(form: Form) -> ColumnsSpec:
    """The columns of the long table."""
    roles = form.roles
    return ColumnsSpec(roles["date"], roles["symbol"], roles["price"], roles.get("volume"))


def save(form: Form, copy: Path) -> None:
    """Write the long table of ``form``.

    Raises:
        DataError: Its cells cannot be read as they were recognized.
    """
    if form.chain is None:
        raise ValueError("this form needs no copy")
    try:
        table = form.chain.run(Path(form.name).expanduser())
    except (ValueError, TypeError, KeyError) as error:
        said = "; ".join(form.said)
        raise DataError(f"{form.name}: {said}, but: {first_line(error)}") from error
    if copy.suffix == ".parquet":
        table.to_parquet(copy, index=False)
    else:
        table.to_csv(copy, index=False)
