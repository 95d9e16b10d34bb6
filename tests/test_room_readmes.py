"""READMEs of rooms: their tables are those of the code, and their examples run."""

import re

import pytest
import torch
import yaml

from foldproof.conf.load import load_as
from foldproof.conf.schema import Experiment
from foldproof.models.normalizers import VARIANTS, Variant
from tests.readme_tables import ROOT, TABLES, place_of

CONF = (ROOT / "conf/README.md").read_text(encoding="utf-8")
NORMALIZERS = (ROOT / "models/normalizers/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_code(name: str) -> None:
    """After a change: python -m tests.readme_tables."""
    file, make = TABLES[name]
    found = place_of(name).search((ROOT / file).read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == found[1] + make() + found[2]


def test_every_variant_states_its_statistics_and_its_trap() -> None:
    assert all(one.statistics and one.trap for one in VARIANTS.values())


def test_the_presets_and_files_of_the_folder_are_listed() -> None:
    files = [file.name for file in (ROOT / "conf").iterdir() if file.suffix in (".yaml", ".py")]
    assert not [name for name in files if name != "__init__.py" and f"`{name}`" not in CONF]


def test_the_configuration_for_your_own_data_is_valid(tmp_path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)```", CONF, re.DOTALL | re.MULTILINE)
    (tmp_path / "mine.yaml").write_text(text)
    experiment = load_as(Experiment, tmp_path / "mine.yaml")
    assert experiment.data.source == "file"
    assert set(yaml.safe_load(text)) >= {"name", "data", "split", "variants"}


def test_the_variants_of_the_example_work() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", NORMALIZERS, re.DOTALL):
        exec(block, names)
    made = [names["ranked"], names["largest"]]
    values, member = torch.randn(40, 5, 3), torch.ones(40, 5, dtype=torch.bool)
    for one in made:
        assert isinstance(one, Variant)
        assert one.input is not None
        state = one.input.fit(values, member, range(30))
        assert one.input.apply(values, member, state).values.isfinite().all()


@pytest.mark.parametrize(
    "room",
    [
        "flows",
        "models",
        "tasks/compare",
        "tasks/data",
        "tasks/decompose",
        "tasks/panel_study",
        "tasks/portfolio",
        "tasks/split",
        "tasks/track",
        "tasks/train",
    ],
)
def test_the_readme_of_a_room_lists_its_files_and_folders(room: str) -> None:
    text = (ROOT / room / "README.md").read_text(encoding="utf-8")
    files = {f"`{file.name}`" for file in (ROOT / room).glob("[a-z]*.py")}
    folders = {f"`{file.parent.name}/`" for file in (ROOT / room).glob("*/__init__.py")}
    assert not [name for name in sorted(files | folders) if name not in text]
