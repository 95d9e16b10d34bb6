"""The contract of every variant, and a planted fault for each probe of it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from foldproof.models.normalizers import CONTROLS, resolve, styles_of
from foldproof.tasks.data.features.target import KINDS, TargetKind
from foldproof.tasks.diagnose.certify import target
from foldproof.tasks.diagnose.certify.catalogue import EVERYTHING
from foldproof.tasks.diagnose.certify.certificate import (
    COLUMNS,
    PROBES,
    Certificate,
    certify,
    exit_status,
    measurements_table,
    summary_table,
    to_json,
    to_markdown,
)
from foldproof.tasks.diagnose.certify.cost import cpu_ratio, noise_panel, unit_of
from foldproof.tasks.diagnose.certify.panel import certification_panel
from foldproof.tasks.diagnose.certify.target import own_date_only
from foldproof.tasks.train.inputs import fit_statistics
from tests.variants import EVERY_VARIANT, STYLED

PAGE = Path(__file__).resolve().parents[4] / "models/normalizers/certificates.md"
"""The table of the newest run of all, as it was printed."""
MORE = [
    *STYLED,
    "cs_rank + batch_norm_hidden",
    "revin + layer_norm @ date_block",
    "zscore + st_norm",
    "neutral_zscore ~ noise + rms_norm",
    *(f"zscore -> {kind}" for kind in KINDS),
]
FAULTS = {
    "READS_ALL_ROWS": {"causal", "day_by_day"},
    "DENIES_DATE": {"coupling", "training_coupling"},
    "DENIES_BATCH": {"training_coupling", "later_dates_training"},
    "CLAIMS_TOO_MUCH": {"coupling", "training_coupling"},
    "MIXES_DATES": {"causal", "coupling", "later_dates", "day_by_day", "completeness", "saved"},
    "DENIES_STEPS": {"causal_steps", "causal_steps_training"},
    "HARMLESS_CONTROL": {"causal"},
    "WRONG_AXIS": {"in_parts"},
    "DETACHED": {"completeness"},
    "NEVER_FORGETS": {"rows_needed"},
    "MOVES_A_BUFFER": {"purity"},
    "DRAWS_WEIGHTS": {"saved"},
    "FORGETS": {"saved"},
    "UNGUARDED": {"survives"},
}

FAST = ("READS_ALL_ROWS", "CLAIMS_TOO_MUCH", "DRAWS_WEIGHTS")


def planted(name: str) -> str:
    return f"tests.tasks.diagnose.certify.planted:{name}"


@pytest.mark.parametrize(
    "name",
    [*EVERY_VARIANT, *(pytest.param(one, marks=pytest.mark.slow) for one in MORE)],
)
def test_every_claim_of_a_variant_holds(name: str) -> None:
    found, claims = certify(name), resolve(name)
    assert list(found.measurements) == list(PROBES)
    assert not found.faults
    measured = {key: one.measured for key, one in found.measurements.items()}
    assert measured["coupling"] == claims.coupling
    assert measured["training_coupling"] == claims.training_coupling
    assert (measured["causal"] == "yes") is claims.causal
    assert measured["completeness"] == "complete" or claims.kinks


def test_the_faults_cover_every_probe() -> None:
    assert set().union(*FAULTS.values()) | {"target"} == set(PROBES)


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in FAULTS]
)
def test_a_false_claim_is_found(name: str) -> None:
    found = certify(planted(name))
    assert set(found.broken) == FAULTS[name]
    assert exit_status([found]) == 1


def test_a_refused_attribution_states_its_reason() -> None:
    found = certify(planted("NO_DERIVATIVE"))
    assert not found.faults
    refused = found.measurements["completeness"]
    assert (refused.measured, refused.holds) == ("refused", True)
    assert "does not depend on the inputs through the autograd graph" in refused.detail


def test_a_variant_that_cannot_be_trained_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found = certify("tests.tasks.diagnose.certify.planted:UNTRAINABLE")
    assert "cannot be trained" in found.faults[0]
    assert exit_status([found]) == 2


def test_tables_name_the_claim_that_does_not_hold() -> None:
    honest, false = certify("none"), certify(planted("DENIES_BATCH"))
    summary = summary_table([honest, false]).set_index("variant")
    assert set(summary) == set(COLUMNS)
    assert summary.loc["none", "couples"] == "none / none"
    assert summary.loc[planted("DENIES_BATCH"), "couples"] == "none / batch, claimed none"
    long = measurements_table([honest, false])
    assert long.groupby("variant", sort=False).size().tolist() == [len(PROBES)] * 2
    assert long.loc[~long["holds"].astype(bool), "probe"].tolist() == false.broken
    text = to_markdown([honest, false])
    assert "training_coupling: batch, claimed none (" in text
    assert "Every claim holds." in to_markdown([honest])
    (_, second) = json.loads(to_json([honest, false]))
    assert second["broken"] == false.broken
    assert second["measurements"]["coupling"]["measured"] == "none"
    assert second["cpu_ratio"] is None
    assert exit_status([honest]) == 0


def test_the_page_of_certificates_has_every_variant_and_column_and_all_held() -> None:
    """After a new variant or probe: foldproof audit --variants, and copy its certificate.md."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert [one.strip("| ") for one in rows[0]] == ["variant", *list(COLUMNS)]
    names = [row[0].strip("| ").replace("\\", "") for row in rows[2:]]
    assert [name.removesuffix(" (control)") for name in names] == list(EVERYTHING)
    assert ", claimed" not in page
    assert "Every claim holds." in page


def test_an_empty_table_can_be_made() -> None:
    unmeasured = Certificate("mine", control=False, failure="why")
    assert isinstance(measurements_table([unmeasured]), pd.DataFrame)
    assert "cannot be trained: why" in to_markdown([unmeasured])


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_certified_to_leak(name: str) -> None:
    found = certify(name)
    assert not found.faults
    assert found.control
    assert found.measurements["causal"].measured == "no"
    in_its_weights = name == "san_unpurged"
    assert (found.measurements["day_by_day"].measured == "same") is in_its_weights


def test_labels_that_read_later_prices_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = TargetKind(
        "y / last price", "all rows", lambda one: one.values / one.price[-1], "", "", ""
    )
    panel = certification_panel()
    honest = own_date_only("cs_rank", panel, 0)
    assert (honest.measured, honest.holds) == ("own date", True)
    monkeypatch.setattr(target, "KINDS", {"return": leaking})
    found = own_date_only("return", panel, 0)
    assert (found.measured, found.holds) == ("later rows", False)


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_panel_of_costs_has_every_feature_that_an_entry_names(name: str) -> None:
    panel = noise_panel(0, styles_of(resolve(name)))
    fit_statistics(unit_of(name, panel, 0), panel)


@pytest.mark.slow
def test_a_rank_over_a_year_takes_longer_than_no_normalization() -> None:
    assert 1.3 < cpu_ratio("rolling_rank") < 6
    assert 0.7 < cpu_ratio("none") < 1.4
