"""What the README says is what the code says."""

import re
from pathlib import Path

from conf.load import PRESETS
from models.normalizers import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def variants_table() -> str:
    """The table of variants; put it into the README when the catalogue changes."""
    rows = [
        f"| `{name}` | {one.title} | {one.formula.replace('|', '/')} | {one.source} |"
        for name, one in VARIANTS.items()
    ]
    return "\n".join(["| key | variant | formula | source |", "|---|---|---|---|", *rows])


def test_the_variants_are_those_of_the_catalogue() -> None:
    assert variants_table() in README


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert named <= known
    assert {"compare", "test", "ui", "bench"} <= named


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    files = [link for link in links if not link.startswith("http")]
    assert len(files) >= 5
    assert not [link for link in files if not (ROOT / link).is_file()]


def test_the_presets_are_named() -> None:
    assert all(f"conf/{file.name}" in README for file in PRESETS.glob("*.yaml"))


def test_the_example_variant_works() -> None:
    code = next(
        block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "mine" in block
    )
    names: dict[str, object] = {}
    exec(code, names)
    assert names["mine"].formula  # type: ignore[attr-defined]
