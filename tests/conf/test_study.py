import re
from pathlib import Path

import pytest

from foldproof.conf.load import ConfigError, study_of, to_yaml
from foldproof.conf.study import BatchStudy, load_study
from foldproof.tasks.batch_study import Composition, why_not


def test_the_preset_loads_and_repeats_from_its_own_yaml(tmp_path: Path) -> None:
    study = load_study("batch_norm")
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(study))
    assert load_study(again) == study
    assert len(study.seeds) >= 5


def test_the_preset_covers_the_question() -> None:
    study = load_study("conf/batch_norm.yaml")
    sizes = {(one.batches, one.size or one.dates) for one in study.compositions}
    assert {("date_block", n) for n in (1, 2, 5, 20)} <= sizes
    assert {("symbol", n) for n in (8, 32, 120)} <= sizes
    assert any(batches == "shuffled" for batches, _ in sizes)
    for name in study.normalizations:  # every normalization has batches that suit it
        assert any(why_not(name, one) is None for one in study.compositions)
    truths = [about.truth for about in study.about.values()]
    assert truths == [0, pytest.approx(0.06, abs=0.001), None]


def test_stated_sizes_are_of_cells_that_are_run() -> None:
    study = load_study("batch_norm")
    titles = {one.title for one in study.compositions}
    assert study.expected
    for one in study.expected:
        assert one.composition in titles
        assert one.panel in study.panels
        assert one.normalization in study.normalizations


def test_overrides_make_it_small() -> None:
    study = load_study(
        "batch_norm",
        ["seeds=[0,1]", "panels=[noise]", "compositions=[{batches: symbol, size: 8}]"],
    )
    assert study.panels == ("noise",)
    assert study.compositions == (Composition("symbol", size=8),)


def test_synthetic_panels_are_drawn_again_and_a_real_one_is_not() -> None:
    study = load_study("batch_norm")
    seeds = {study.sources["noise"].drawn(seed).synthetic.seed for seed in study.seeds}
    assert len(seeds) == len(study.seeds)
    assert study.sources["real"].drawn(0) == study.sources["real"].drawn(3)


def test_a_study_is_distinguished_from_a_comparison() -> None:
    assert study_of("conf/batch_norm.yaml") == "batch_norm"
    assert study_of("sp500") is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=[1,2]", "seed: no such key; did you mean seeds?"),
        ("sources.noise.data.sorce=echo", "did you mean sources.noise.data.source?"),
        ("compositions=[{batch: symbol, size: 8}]", "did you mean compositions.0.batches?"),
        ("compositions=[{batches: symbol, dates: 8}]", "sized by size alone"),
        ("panels=[nois]", "panels has nois, but sources has only noise, signal, real"),
        ("normalizations=[none, batchnorm]", "did you mean batch_norm"),
        ("normalizations=[batch_norm]", "reference 'none' must be one of"),
        ("seeds=[0]", "at least 2 items"),
        ("level=1", "level must lie in [0.5, 1); it is 1"),
        ("compute.workers=-1", "workers must be at least 0"),
        ("study=layer_norm", "study"),
    ],
)
def test_a_bad_setting_gets_one_clear_message(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_study("batch_norm", [override])


def test_every_field_has_a_text() -> None:
    schema = BatchStudy.model_json_schema()
    own = [
        schema,
        *(schema["$defs"][name] for name in ("PanelSpec", "Composition", "ExpectedSize")),
    ]
    assert not [
        f"{section['title']}.{name}"
        for section in own
        for name, field in section["properties"].items()
        if "description" not in field
    ]
