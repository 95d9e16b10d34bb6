"""Names that are imported at their first use."""

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = ("foldproof.tasks.attribute", "foldproof.tasks.diagnose")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_can_be_imported(name: str) -> None:
    package = import_module(name)
    for public in package.__all__:
        assert getattr(package, public) is not None


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"module '{name}' has no attribute 'nothing'"):
        import_module(name).nothing  # noqa: B018


def test_an_audit_of_features_does_not_import_torch() -> None:
    """Nor any other library that takes longer than pandas, not even when it runs."""
    code = """
import sys
import pandas as pd
from foldproof.tasks.diagnose import audit_features
dates = pd.bdate_range("2020-01-01", periods=40)
data = pd.DataFrame({"date": dates.repeat(3), "symbol": ["a", "b", "c"] * 40, "x": range(120)})
report = audit_features(lambda rows: rows[["x"]].shift(-3), data)
slow = {"torch", "scipy", "sklearn", "pandera", "mlflow", "prefect", "matplotlib", "pydantic"}
print(report.verdict, *sorted(slow & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "LEAK"
