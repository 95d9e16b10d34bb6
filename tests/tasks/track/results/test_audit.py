"""An audit in the tracker: found by its verdict, whole or not there at all."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mlflow.entities import Run, ViewType

from foldproof.tasks.diagnose import LeakReport, Verdict
from foldproof.tasks.report.task import draw_audit
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.entries import NOTE
from foldproof.tasks.track.files import File, write_files
from foldproof.tasks.track.results import audit as room
from foldproof.tasks.track.results.audit import (
    Audit,
    audit_files,
    audit_tags,
    audit_values,
    file_name,
    log_leak_audit,
)
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Links, Store, open_store
from tests.tasks.report.audit_example import PRICE, finding, honest, leaking, undecided

AUDIT = Audit(
    title="Three forecasters",
    audit_id="audit-0",
    reports=(leaking("mine:forecast"), honest(), undecided()),
    verdict=Verdict.LEAK,
    settings={"target.horizon": 5, "quick": False, "known_at": {"label": "known"}},
    seconds={"data and plan": 1.5, "audits": 20.25},
    code_version="0123456789abcdef",
)
PAGE = Report("<!doctype html><title>audit</title>", {"witness/mine": b"<svg/>"})
FILES = {"report.html", "witness/mine.svg"} | {
    f"{name}.{kind}" for name in ("mine_forecast", "honest", "undecided") for kind in ("json", "md")
}


def runs(store: Store, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    return list(store.client.search_runs([store.experiment_id], run_view_type=view))


def files_of(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def folder_of(store: Store, links: Links) -> Path:
    run = store.client.get_run(links.summary_run_id)
    return Path(unquote(urlsplit(run.info.artifact_uri).path))


@pytest.fixture(scope="module")
def kept(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for tests that only read the audit that was logged once."""
    path = tmp_path_factory.mktemp("audits") / "mlflow.db"
    shutil.copy(template, path)
    return open_store(TrackingSpec(uri=f"sqlite:///{path}", experiment="audits"))


@pytest.fixture(scope="module")
def logged(kept: Store) -> Links:
    return log_leak_audit(kept, AUDIT, PAGE)


def test_one_run_carries_the_verdicts_as_tags(kept: Store, logged: Links) -> None:
    run = kept.client.get_run(logged.summary_run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "Three forecasters"
    tags = run.data.tags
    assert (tags["kind"], tags["comparison"], tags["verdict"]) == ("audit", "audit-0", "LEAK")
    assert tags["code_version"] == AUDIT.code_version
    verdicts = {name: tags[f"verdict.{name}"] for name in ("honest", "undecided")}
    assert verdicts == {"honest": "CLEAN", "undecided": "UNKNOWN"}
    (own,) = [value for name, value in tags.items() if name.startswith("verdict.mine")]
    assert own == "LEAK"
    assert tags[NOTE].split("\n\n")[0].startswith("mine:forecast: leaks at features")
    assert len(tags[NOTE].split("\n\n")) == 3
    query = "tags.kind = 'audit' and tags.verdict = 'LEAK'"
    assert [one.info.run_id for one in kept.client.search_runs([kept.experiment_id], query)] == [
        logged.summary_run_id
    ]


def test_statistics_price_and_seconds_arrive_as_metrics(kept: Store, logged: Links) -> None:
    metrics = kept.client.get_run(logged.summary_run_id).data.metrics
    assert metrics == {
        "mine_forecast/serve_invariance.features": 269.7,
        "mine_forecast/train_invariance.training": 3e-12,
        "mine_forecast/batch_composition.training_batches": 2.1,
        "mine_forecast/inflation": PRICE.value,
        "honest/serve_invariance.scoring": 0.0,
        "honest/train_invariance.training": 3e-12,
        "undecided/serve_invariance.scoring": 0.3,
        "seconds/data and plan": 1.5,
        "seconds/audits": 20.25,
    }  # the purge of no number is in the files, not here


def test_settings_arrive_as_parameters(kept: Store, logged: Links) -> None:
    params = kept.client.get_run(logged.summary_run_id).data.params
    assert params == {
        "target.horizon": "5", "quick": "False", "known_at": "{'label': 'known'}"
    }  # fmt: skip


def test_every_report_arrives_whole(kept: Store, logged: Links) -> None:
    folder = folder_of(kept, logged)
    assert files_of(folder) == FILES
    assert (folder / "report.html").read_text() == PAGE.page
    assert (folder / "witness/mine.svg").read_bytes() == PAGE.figures["witness/mine"]
    for report in AUDIT.reports:
        name = file_name(report.subject)
        content = json.loads((folder / f"{name}.json").read_text())
        assert content == json.loads(report.to_json())
        assert (content["subject"], content["verdict"]) == (report.subject, report.verdict)
        text = (folder / f"{name}.md").read_text()
        assert text.startswith(f"**{report.subject}: {report.verdict}**")
        assert f"\n# Model information sheet: {report.subject}\n" in text


def test_the_links_lead_to_it(kept: Store, logged: Links) -> None:
    assert f"/{logged.summary_run_id}/artifacts/report.html" in logged.report
    assert AUDIT.audit_id in logged.url
    assert logged.command.endswith(" ui")


def test_logging_twice_makes_one_run(store: Store) -> None:
    first = log_leak_audit(store, AUDIT, PAGE)
    before = {run.info.run_id: run.info.end_time for run in runs(store, ViewType.ALL)}
    assert log_leak_audit(store, AUDIT, PAGE) == first
    assert {run.info.run_id: run.info.end_time for run in runs(store, ViewType.ALL)} == before


def test_another_audit_has_a_run_of_its_own(store: Store) -> None:
    first = log_leak_audit(store, AUDIT, PAGE)
    mended = replace(AUDIT, audit_id="audit-1", reports=(honest(),), verdict=Verdict.CLEAN)
    second = log_leak_audit(store, mended, PAGE)
    assert first.summary_run_id != second.summary_run_id
    assert sorted(run.data.tags["verdict"] for run in runs(store)) == ["CLEAN", "LEAK"]


@pytest.mark.parametrize("error", [KeyboardInterrupt("pulled"), OSError("pulled")])
def test_an_interrupted_run_is_written_anew(
    error: BaseException, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(audit: Audit, report: Report) -> Iterator[File]:
        yield from audit_files(audit, report)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(room, "audit_files", dies)
        with pytest.raises(type(error), match="pulled"):
            log_leak_audit(store, AUDIT, PAGE)
    (half,) = runs(store)
    assert half.info.status == "FAILED"
    links = log_leak_audit(store, AUDIT, PAGE)
    (whole,) = runs(store)
    assert whole.info.run_id == links.summary_run_id != half.info.run_id
    assert whole.info.status == "FINISHED"
    assert files_of(folder_of(store, links)) == FILES


def test_the_page_and_figures_of_a_real_report_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "audits" / "not there yet"
    write_files(audit_files(AUDIT, draw_audit.fn(AUDIT.reports, AUDIT.title)), folder)
    found = files_of(folder)
    assert {name for name in FILES if not name.startswith("witness")} <= found
    assert any(name.endswith(".svg") for name in found)
    page = (folder / "report.html").read_text()
    assert all(report.subject in page for report in AUDIT.reports)


def test_numbers_that_are_none_are_no_metrics() -> None:
    values = (0.5, float("nan"), float("inf"), -float("inf"))
    found = tuple(
        finding("purge", f"folds {place}", value=value) for place, value in enumerate(values)
    )
    audit = replace(AUDIT, reports=(LeakReport("one", found),), seconds={})
    assert list(audit_values(audit)) == [("one/purge.folds_0", 0.5, 0)]


def test_every_report_has_its_verdict_as_a_tag() -> None:
    tags = audit_tags(AUDIT)
    assert {name: tags[f"verdict.{name}"] for name in ("mine:forecast", "honest", "undecided")} == {
        "mine:forecast": "LEAK", "honest": "CLEAN", "undecided": "UNKNOWN"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("batch_norm_hidden", "batch_norm_hidden"),
        ("package.module:function", "package.module_function"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a b\tc", "a_b_c"),
        ("größe-2", "größe-2"),
    ],
)
def test_a_subject_names_one_file_in_its_folder(subject: str, name: str) -> None:
    assert file_name(subject) == name
