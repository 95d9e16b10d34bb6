"""Log certificates of normalizations: one run with every measurement and the files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from foldproof.tasks.diagnose.certify.certificate import Certificate
from foldproof.tasks.markdown import escaped
from foldproof.tasks.track.entries import NOTE, Value
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store

MOST_FAULTS = 20
"""Sentences in the run's description; all are in the file."""


def log_certificates(
    store: Store,
    certificates: Sequence[Certificate],
    audit_id: str,
    folder: Path,
    settings: Mapping[str, object],
) -> Links:
    """Write the run unless it exists; return where it is.

    Args:
        store: Where to.
        certificates: One for each variant.
        audit_id: Hash of all inputs; the same certificates are one run.
        folder: Their files.
        settings: What decided them.
    """
    content = tags_of(certificates, audit_id), values_of(certificates), settings
    write, file = partial(copied, folder), "certificate.md"
    return log_once(store, "claims of the normalizations", *content, write, file)


def copied(source: Path, folder: Path) -> None:
    """Copy the files of ``source`` to ``folder``."""
    shutil.copytree(source, folder, dirs_exist_ok=True)


def tags_of(certificates: Sequence[Certificate], audit_id: str) -> dict[str, str]:
    """Tags that identify the run, and the description."""
    faults = [f"{one.variant}: {text}" for one in certificates for text in one.faults]
    shown = [f"- {escaped(text)}" for text in faults[:MOST_FAULTS]]
    return {
        "comparison": audit_id,
        "kind": "certificates",
        "title": "claims of the normalizations",
        "verdict": "broken" if faults else "held",
        NOTE: "\n".join(shown) or f"Every claim of {len(certificates)} normalizations holds.",
    }


def values_of(certificates: Sequence[Certificate]) -> Iterator[Value]:
    """Numbers of certificates and faults; the CPU ratio and finite sizes of each variant."""
    yield "variants", float(len(certificates)), 0
    yield "broken", float(sum(bool(one.broken) for one in certificates)), 0
    yield "not_measured", float(sum(bool(one.undecided or one.failure) for one in certificates)), 0
    for one in certificates:
        sizes = {key: found.value for key, found in one.measurements.items()}
        for key, value in (sizes | {"cpu_ratio": one.cpu_ratio}).items():
            yield f"{one.variant}/{key}", float(value), 0
