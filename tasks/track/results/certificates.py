"""Log certificates of normalizations: one run with every measurement and the files."""

from collections.abc import Iterator, Mapping, Sequence

from foldproof.tasks.diagnose.certify.certificate import (
    Certificate,
    measurements_table,
    to_json,
    to_markdown,
)
from foldproof.tasks.markdown import escaped
from foldproof.tasks.track.entries import NOTE, Value
from foldproof.tasks.track.files import File
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store

MOST_FAULTS = 20
"""Sentences in the run's description; all are in the file."""


def log_certificates(
    store: Store,
    certificates: Sequence[Certificate],
    audit_id: str,
    settings: Mapping[str, object],
) -> Links:
    """Write the run unless it exists; return where it is.

    Args:
        store: Where to.
        certificates: One for each variant.
        audit_id: Hash of all inputs; the same certificates are one run.
        settings: What decided them.
    """
    content = tags_of(certificates, audit_id), values_of(certificates), settings
    files = certificate_files(certificates)
    return log_once(store, "claims of the normalizations", *content, files, "certificate.md")


def certificate_files(certificates: Sequence[Certificate]) -> Iterator[File]:
    """The certificates as Markdown and JSON, and their measurements."""
    yield "certificate.md", to_markdown(certificates)
    yield "certificate.json", to_json(certificates)
    yield "certificate.parquet", measurements_table(certificates)


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
