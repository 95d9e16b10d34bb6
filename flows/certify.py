"""Certify normalizations: each claim against its measurement, side by side in processes."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from foldproof.flows.benchmark import screen_table
from foldproof.flows.commands.shell import fail
from foldproof.flows.paths import AUDITS
from foldproof.flows.processes.side_by_side import side_by_side
from foldproof.models.normalizers import resolve
from foldproof.tasks.diagnose.certify.catalogue import EVERYTHING
from foldproof.tasks.diagnose.certify.certificate import (
    Certificate,
    certify,
    exit_status,
    summary_table,
)
from foldproof.tasks.diagnose.certify.cost import cpu_ratio
from foldproof.tasks.files import draft_of, publish
from foldproof.tasks.track.files import write_files
from foldproof.tasks.track.results.certificates import certificate_files, log_certificates
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import TrackingError, open_store
from foldproof.tasks.train import TrainingError
from foldproof.tasks.train.unit import digest, variant_version
from foldproof.tasks.version import HOUSE, code_version

FOLDER = AUDITS / "variants"
"""The newest certificates: certificate.md, .json and .parquet."""


def run_certify(names: Sequence[str], quick: bool) -> int:
    """Certify every variant, control, target and some combinations, or the named variants.

    Prints the table, stores it and logs it as one run to the tracking store. Ends with exit status
    2 for a name that no variant has, or if there is no store.

    Args:
        names: Keys, combinations or ``package.module:attribute``; none for :data:`EVERYTHING`.
        quick: Leave out CPU times, which take most of the time.

    Returns:
        0 if every claim holds, 1 if one does not, 2 if something could not be measured.
    """
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
    chosen = tuple(dict.fromkeys(names)) or EVERYTHING
    try:
        for name in chosen:
            resolve(name)
        kept = open_store(TrackingSpec())
    except (ValueError, TrackingError) as error:
        fail(error)
    found = {}
    for one in side_by_side(certified, [(name, int(not quick)) for name in chosen]):
        found[one.variant] = one
        if console.is_terminal:
            console.print(f"{len(found)} of {len(chosen)} variants", end="\r")
    certificates = [found[name] for name in chosen]
    store(certificates)
    settings = {"variants": ", ".join(chosen), "quick": quick, "code_version": code_version(HOUSE)}
    audit_id = digest("certificates", settings, [variant_version(name) for name in chosen])
    links = log_certificates(kept, certificates, audit_id, settings)
    console.print(screen_table("Claims of the normalizations", summary_table(certificates)))
    for one in certificates:
        for fault in one.faults:
            console.print(f"{one.variant}: {fault}", markup=False)
    broken = sum(bool(one.broken) for one in certificates)
    unmeasured = sum(bool(one.failure or one.undecided) for one in certificates)
    console.print(
        f"{len(chosen)} variants: {broken} with a claim that does not hold, {unmeasured} not "
        f"measured in full. Certificates: {FOLDER.resolve()}",
        markup=False,
    )
    console.print(f"MLflow: {links.report}", markup=False)
    if links.command:
        console.print(f"  {links.command}", markup=False)
    return exit_status(certificates)


def certified(name: str, timed: int) -> Certificate:
    """The certificate of one variant, in a worker; with its CPU time if ``timed``."""
    one = certify(name)
    if not timed or one.failure:
        return one
    try:
        return replace(one, cpu_ratio=cpu_ratio(name))
    except TrainingError as error:
        return replace(one, failure=str(error))


def store(certificates: Sequence[Certificate]) -> None:
    """Write the certificates as Markdown, JSON and Parquet; each file appears whole."""
    for name, content in certificate_files(certificates):
        with draft_of(FOLDER / name) as draft:
            write_files([(name, content)], draft.parent)
            publish(draft.parent / name, FOLDER / name)
