"""The run of certificates in the tracking store."""

import pytest

from foldproof.tasks.diagnose.certify.certificate import Certificate
from foldproof.tasks.diagnose.certify.measurement import Measurement
from foldproof.tasks.track.results.certificates import log_certificates
from foldproof.tasks.track.store import Store

HELD = Certificate("zscore", False, {"causal": Measurement("yes", "yes", True, 0.25)}, 1.5)
BROKEN = Certificate("m:a", False, {"saved": Measurement("same", "differs", False)})


@pytest.mark.slow
def test_certificates_are_one_run_with_measurements_and_files(store: Store) -> None:
    log = (store, [HELD, BROKEN], "id-1", {"quick": True})
    links, again = log_certificates(*log), log_certificates(*log)
    assert links.summary_run_id == again.summary_run_id
    run = store.client.get_run(links.summary_run_id)
    assert (run.data.tags["kind"], run.data.tags["verdict"]) == ("certificates", "broken")
    assert "m:a: saved: differs, claimed same" in run.data.tags["mlflow.note.content"]
    assert run.data.metrics["zscore/causal"] == 0.25
    assert run.data.metrics["zscore/cpu_ratio"] == 1.5
    assert (run.data.metrics["variants"], run.data.metrics["broken"]) == (2, 1)
    assert run.data.params["quick"] == "True"
    names = [file.path for file in store.client.list_artifacts(links.summary_run_id)]
    assert names == ["certificate.json", "certificate.md", "certificate.parquet"]
