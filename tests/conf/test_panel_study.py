import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from foldproof.conf.load import PRESETS, ConfigError, load_as, study_of, to_yaml
from foldproof.conf.panel_study import PanelStudy
from foldproof.conf.registration import Registration, registration
from foldproof.conf.study import load_plan, load_study
from foldproof.models.normalizers import VARIANTS, resolve
from foldproof.tasks.panel_study.tables import Role


@pytest.fixture(scope="module")
def study() -> PanelStudy:
    return load_as(PanelStudy, "study")


def test_the_plan_loads_and_repeats_from_its_own_yaml(study: PanelStudy, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(study))
    assert load_study(again) == study
    assert study_of("study") == "normalization"


def test_the_plan_covers_the_question(study: PanelStudy) -> None:
    assert len(study.seeds) == 20
    assert study.statistics.margin == 0.005
    honest = {name for name in study.variants if not resolve(name).control}
    assert honest >= {*VARIANTS} - {name for name in VARIANTS if VARIANTS[name].control}
    assert any(resolve(name).control for name in study.variants)
    assert {study.sources[name].role for name in study.panels} == {*Role}
    assert study.tuning.folds
    for name in study.panels:
        assert {*study.sources[name].expected} <= {*study.variants}


def test_each_panel_is_a_comparison_that_differs_in_its_source_alone(study: PanelStudy) -> None:
    first, second = (study.experiment_of(name) for name in study.panels[:2])
    own = {"name", "data", "target", "split"}
    assert first.model_dump(exclude=own) == second.model_dump(exclude=own)
    assert first.data == study.sources[study.panels[0]].data


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("panels=[sp5000]", "panels has sp5000, but sources has only"),
        ("seeds=[0]", "at least 2 items"),
        ("statistics.ensemble=true", "a study compares single networks: set statistics.ensemble"),
        ("sources.sp500.expected=[none]", "a planted signal favours; role is real"),
        ("sources.sp500.role=fake", "sources.sp500.role"),
        ("variants=[none]", "at least 2 items"),
        ("variants=[none, cs_rank]", "statistics.reference 'zscore' must be one of the variants"),
        (
            "sources.levels.without=[neutral_zscor]",
            "sources.levels.without: there is no normalization variant 'neutral_zscor'; did you "
            "mean neutral_zscore?",
        ),
        ("sources.ranks.expected=[cs_rnk]", "sources.ranks.expected: there is no normalization"),
        ("sources.toronto.without=[zscore]", "sources.toronto.without must not have zscore, the"),
        ("variant=[none]", "variant: no such key; did you mean variants?"),
    ],
)
def test_a_bad_setting_gets_one_clear_message(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_plan("study", [override])


def test_an_unknown_kind_of_study_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("study: normalisation\n")
    with pytest.raises(ConfigError, match="no kind of study 'normalisation'; did you mean normal"):
        load_study(file)


def test_the_plan_is_registered_by_its_commit_and_a_change_is_said(
    study: PanelStudy, tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        me = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        command = ["git", "-C", str(tmp_path), *me, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    file = tmp_path / "study.yaml"
    file.write_text((PRESETS / "study.yaml").read_text())
    assert "is not committed to Git: this run is not registered" in registered(file, study)
    git("init", "--quiet")
    git("add", "study.yaml")
    git("commit", "--quiet", "--message", "plan")
    commit = git("rev-parse", "HEAD")
    text = registered(file, study)
    assert text.startswith(f"The plan is study.yaml, last changed by commit {commit[:12]}.")
    assert text.endswith("All of it was run.")
    file.write_text(file.read_text() + "# changed\n")
    assert f"differs from its last commit ({commit[:12]})" in registered(file, study)


def registered(file: Path, study: PanelStudy) -> str:
    return registration(file, study, study).sentence()


def test_the_part_that_is_run_is_said(study: PanelStudy) -> None:
    part = study.model_copy(
        update={
            "seeds": (0, 1),
            "training": replace(study.training, epochs=2),
            "compute": replace(study.compute, workers=3),
        }
    )
    found = registration(PRESETS / "study.yaml", study, part).parts
    assert {*found} == {"2 of 20 seeds (0, 1)", "training.epochs is 2, planned 12"}
    untuned = study.model_copy(update={"tuning": replace(study.tuning, weight_decay=())})
    (text,) = registration(PRESETS / "study.yaml", study, untuned).parts
    assert text == "tuning.weight_decay is [], planned [0.001, 0.1]"


def test_what_is_missing_is_not_called_run() -> None:
    whole = Registration("study.yaml", "", "0123", True, ())
    assert whole.sentence().endswith(" All of it was run.")
    text = whole.sentence(["levels: edain", "toronto", "ranks: a:b"])
    assert text.endswith(" Run in part: missing: edain on levels, toronto, a:b on ranks.")
    part = replace(whole, parts=("2 of 20 seeds (0, 1)",))
    text = part.sentence(["toronto"])
    assert text.endswith(" Run in part: 2 of 20 seeds (0, 1); missing: toronto.")


def test_every_field_has_a_text() -> None:
    schema = PanelStudy.model_json_schema()
    assert all("description" in field for field in schema["properties"].values())
    panel = schema["$defs"]["StudyPanel"]["properties"]
    assert all("description" in panel[name] for name in ("role", "expected"))


def test_a_panel_is_compared_without_the_variants_that_it_cannot_have(study: PanelStudy) -> None:
    for name in study.panels:
        left_out = {*study.variants} - {*study.experiment_of(name).variants}
        assert left_out == {*study.sources[name].without}
        planted = study.sources[name].role is Role.PLANTED
        assert left_out == ({"neutral_zscore"} if planted else set())


def test_a_reference_that_is_not_set_is_the_same_on_every_panel(study: PanelStudy) -> None:
    unset = ["statistics.reference=null", "variants=[cs_rank, zscore, none]"]
    found = load_as(PanelStudy, "study", unset)
    assert found.inference.reference == "zscore"
    unset[1] = "variants=[none, cs_rank, revin]"
    found = load_as(PanelStudy, "study", [*unset, "sources.levels.without=[cs_rank]"])
    references = {found.experiment_of(name).statistics.reference for name in found.panels}
    assert references == {"none"}
    with pytest.raises(ConfigError, match=r"sources.levels.without must not have none, the ref"):
        load_as(PanelStudy, "study", [*unset, "sources.levels.without=[none]"])
    assert study.inference == study.statistics


def test_a_part_with_few_variants_loads_though_panels_name_others() -> None:
    part = load_as(PanelStudy, "study", ["variants=[zscore, cs_rank]"])
    assert part.experiment_of("levels").variants == ("zscore", "cs_rank")
    assert part.sources["levels"].without == ("neutral_zscore",)
