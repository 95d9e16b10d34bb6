"""Code that users name: where it is searched, and what is said of one that cannot be imported."""

import sys
from pathlib import Path

import pytest

from foldproof.models.imported import failure, imported
from foldproof.models.normalizers import Variant, resolve
from foldproof.tasks.data import DataError, DataSpec, features_of
from foldproof.tasks.diagnose.imported import labels_named


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory that is not on the path; its modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    known = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - known:
        del sys.modules[name]


def module(here: Path, name: str, text: str) -> str:
    (here / f"{name}.py").write_text(text)
    return name


def test_the_working_directory_is_searched_first(here):
    module(here, "antigravity", "def forecast(data, fold):\n    return 3\n")
    assert imported("antigravity:forecast", "forecaster")(None, None) == 3


def test_variants_features_and_targets_are_found_in_the_working_directory(here):
    text = "from foldproof.models.normalizers import Variant\nBEST = Variant('mine', 'x', 'here')\n"
    module(here, "own_parts", text + "def double(rows):\n    return 2 * rows\n")
    assert resolve("own_parts:BEST") == Variant("mine", "x", "here")
    assert features_of(DataSpec(features="own_parts:double")) is not None
    assert labels_named("own_parts:double", None) is not None


@pytest.mark.parametrize(
    ("text", "named", "message"),
    [
        (None, "nowhere:forecast", "No module named 'nowhere'"),
        ("import nowhere", "own:forecast", "No module named 'nowhere' (own.py, line 1)"),
        ("", "own:forecast", "own defines no 'forecast'"),
        ("def forecasts(): ...", "own:forecast", "no 'forecast'; did you mean forecasts?"),
        ("forecast = 3", "own:forecast", "must be a function; it is of type int"),
        ("def forecast(:", "own:forecast", "own.py, line 1"),
        ("x = 1\nprint(y)", "own:forecast", "NameError: name 'y' is not defined (own.py, line 2)"),
        ("x = 1\n1 / 0", "own:forecast", "ZeroDivisionError: division by zero (own.py, line 2)"),
        ("raise SystemExit(3)", "own:forecast", "SystemExit: 3 (own.py, line 1)"),
    ],
)
def test_a_failed_import_is_one_line(here, text, named, message):
    if text is not None:
        module(here, "own", text)
    with pytest.raises(ValueError, match="forecaster") as caught:
        imported(named, "forecaster")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError) as caught:
        features_of(DataSpec(features=named))
    assert message in str(caught.value)


def test_an_error_without_a_message():
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it has no message to match
        raise ValueError
    assert failure(caught.value).startswith("ValueError: no message (test_imported.py, line ")


def test_the_line_is_the_user_s_not_a_library_s(here):
    text = "import pandas as pd\n\ndef forecast(data):\n    return pd.to_numeric(['soon'])\n"
    with pytest.raises(ValueError, match="Unable to parse") as caught:
        imported(f"{module(here, 'places', text)}:forecast", "forecaster")(None)
    assert failure(caught.value).endswith(" (places.py, line 4)")
    name = "foldproof.tasks.diagnose.perturb.perturbations:checked_names"
    with pytest.raises(ValueError, match="must be one or more of") as caught:
        imported(name, "function")(("nois",))
    assert "(perturbations.py" not in failure(caught.value)
