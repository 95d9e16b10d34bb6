import json
import re
import subprocess
import sys
import traceback
from datetime import date
from pathlib import Path

import pytest
import yaml

from foldproof.conf.load import PRESETS, ConfigError, load, study_of, to_yaml
from foldproof.conf.schema import Experiment
from foldproof.tasks.split import CombinatorialPurged, WalkForward

FILES = sorted(file for file in PRESETS.glob("*.yaml") if study_of(file) is None)


def test_the_presets_are_there() -> None:
    assert [file.stem for file in FILES] == ["nightly", "noise", "quick", "sp500", "truth"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_preset_loads_and_repeats_from_its_own_yaml(file: Path, tmp_path: Path) -> None:
    experiment = load(file)
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(experiment))
    assert load(again) == experiment


DEFAULT = (
    "none", "zscore", "robust_zscore", "rolling_zscore", "ewm_zscore", "cs_zscore", "cs_rank",
    "instance_norm", "revin", "batch_norm", "batch_norm_hidden", "batch_norm_date", "layer_norm",
    "causal_batch_norm", "full_sample_zscore",
)  # fmt: skip
PARTNERS = ("zscore @ date_block", "zscore @ chronological")  # of two variants' own batches


@pytest.mark.parametrize(("name", "partners"), [("sp500", PARTNERS), ("noise", ())])
def test_the_full_presets_compare_the_default_variants(
    name: str, partners: tuple[str, ...]
) -> None:
    assert load(name).variants == (*DEFAULT[:-1], *partners, DEFAULT[-1])


def test_a_preset_is_found_by_name_and_a_file_by_path() -> None:
    assert load("quick") == load(PRESETS / "quick.yaml") == load("conf/quick.yaml")


def test_overrides_are_read_as_yaml() -> None:
    experiment = load(
        "quick", ["training.epochs=7", "variants=[none, cs_rank]", "data.end=2020-06-30"]
    )
    assert experiment.training.epochs == 7
    assert experiment.variants == ("none", "cs_rank")
    assert experiment.data.end == date(2020, 6, 30)


def test_every_field_has_a_text_for_the_form() -> None:
    """Prefect's form and the documentation show these texts."""
    schema = Experiment.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    bare = [
        f"{section['title']}.{name}"
        for section in sections
        for name, field in section.get("properties", {}).items()
        if "description" not in field
    ]
    assert not bare


BAD_SETTINGS = {
    "a typo at the top": ("varaints=[none]", "varaints: no such key; did you mean variants?"),
    "a typo in a section": (
        "training.epoch=5",
        "training.epoch: no such key; did you mean training.epochs?",
    ),
    "a typo two levels down": ("data.columns.prise=close", "did you mean data.columns.price?"),
    "a typo in a variant": ("variants=[zscor]", "zscore"),
    "a variant whose module does not exist": ("variants=['nowhere.at_all:x']", "nowhere"),
    "no variant": ("variants=[]", "at least one variant"),
    "a duplicate variant": ("variants=[none, none]", "duplicate entries: none"),
    "an unknown reference": (
        "references=[lasso]",
        "references has no choice 'lasso'; there are zero, momentum",
    ),
    "a word for a number": (
        "training.epochs=many",
        "training.epochs must be a whole number; it is 'many'",
    ),
    "a name for a list": ("variants=none", "variants must be a list, such as [none]; it is 'none'"),
    "a word in a list of numbers": ("seeds=[a]", "seeds.0 must be a whole number; it is 'a'"),
    "a list for a name": ("data.columns.price=[a]", "data.columns.price must be a name"),
    "a word for a date": ("data.start=soon", "data.start must be a date such as 2020-12-31"),
    "a word for true or false": (
        "data.incremental=maybe",
        "data.incremental must be true or false; it is 'maybe'",
    ),
    "a fraction for a whole number": (
        "training.epochs=1.5",
        "training.epochs must be a whole number; it is 1.5",
    ),
    "a negative number": (
        "training.learning_rate=-1",
        "learning_rate must be greater than 0; it is -1",
    ),
    "no epochs": ("training.epochs=0", "epochs must be at least 1; it is 0"),
    "dropout of one": ("network.dropout=1", "dropout must lie in [0, 1); it is 1"),
    "an unknown loss": ("training.loss=mae", "'mse' or 'rank_correlation'"),
    "an unknown source": ("data.source=yahoo", "data.source"),
    "a query without a query": ("data.source=query", "query is required for source 'query'"),
    "a query that changes data": (
        "data={source: query, query: delete from prices}",
        "query begins with 'delete': it must read rows, such as select ...",
    ),
    "two statements": (
        "data={source: query, query: select 1; drop table prices}",
        "query contains a semicolon: it must be one statement",
    ),
    "a database that cannot be opened for reading only": (
        "data={source: query, path: 'mysql://host/prices', query: select 1}",
        "path must be a database that can be opened for reading only; it is mysql://...",
    ),
    "a password in an address": (
        "data={source: query, path: 'postgresql://me:s3cret@host/prices', query: select 1}",
        "path contains a password, which would be logged with the configuration; write the name",
    ),
    "incremental with a source that does not grow": (
        "data.incremental=true",
        "incremental needs source 'file' or 'query'; source is 'sp500'",
    ),
    "a file without a path": ("data.source=file", "path is required for source 'file'"),
    "an impossible date": ("data.start=2020-02-31", "not readable as YAML: day"),
    "start after end": ("data.end=2001-01-01", "start must be before end"),
    "a horizon of zero": ("target.horizon=0", "horizon must be at least 1; it is 0"),
    "an unknown unit of a period": ("split.train=5Q", "5Q"),
    "the horizon in the wrong section": (
        "split.horizon=5",
        "split.horizon: labels end as target.horizon says; set it instead",
    ),
    "no validation": ("split.validation=0", "validation"),
    "a reference variant that is not compared": (
        "statistics.reference=revin",
        "must be one of the variants",
    ),
    "a level of one": ("statistics.level=1", "level must lie in [0.5, 1); it is 1"),
    "a loss that needs whole dates": ("training.loss=rank_correlation", "whole dates"),
    "chunks in an order of time": (
        "training={samples: chunks, batches: chronological}",
        "it needs loss mse and batches shuffled; they are 'mse' and 'chronological'",
    ),
    "a folder as a store": ("tracking.uri=./mlruns", "a server or a database"),
    "a setting of another section": ("workers=2", "no such key; did you mean compute.workers?"),
    "a password in the storage": (
        "compute.storage=s3://key:s3cret@bucket/folder",
        "storage contains a password, which would be logged",
    ),
    "a storage that ends with its process": (
        "compute.storage=memory://x/y",
        "ends with its process",
    ),
    "a cluster without an address": (
        "compute.engine=dask",
        "engine dask needs the address of its scheduler, such as compute.address=tcp://",
    ),
    "an address that nobody uses": (
        "compute.address=tcp://127.0.0.1:8786",
        "address is for engine dask: set compute.engine=dask, or leave the address out",
    ),
    "an address of another kind": (
        "compute={engine: dask, address: 'http://127.0.0.1:8787'}",
        "address must begin with tcp:// or tls://; it is 'http://127.0.0.1:8787'",
    ),
    "an engine that is not there": ("compute.engine=ray", "engine has no choice 'ray'"),
    "negative workers": ("compute.workers=-1", "workers must be at least 0"),
    "a value in place of a section": (
        "training=5",
        "training is a section of settings, such as training.loss=...; it is 5",
    ),
    "an override without a value": ("training.epochs", "key=value"),
    "an override below a value": ("name.first=x", "name is a value, not a section"),
    "a broken value": ("variants=[none", "not readable as YAML"),
}


def test_groups_of_features_are_written_as_a_mapping_or_as_a_name() -> None:
    groups = "variants=[{close volume: price_relative, '*': cs_rank}]"
    names = "variants=['price_relative(close volume) & cs_rank(*)']"
    assert load("quick", [groups]).variants == ("price_relative(close volume) & cs_rank(*)",)
    assert load("quick", [groups]) == load("quick", [names])
    for broken, says in {
        "variants=[{close: zscor, '*': cs_rank}]": "did you mean zscore",
        "variants=[{close: layer_norm, '*': cs_rank}]": "join it to all groups with",
    }.items():
        with pytest.raises(ConfigError, match=says):
            load("quick", [broken])


def test_a_cell_that_the_native_lstm_lacks_is_refused_with_that_engine_only() -> None:
    cell = "variants=[layer_norm_cell, weight_norm]"
    with pytest.raises(ValueError, match="native does not run the LSTM's cell of variant layer_no"):
        load("quick", [cell, "training.engine=native", "statistics.reference=weight_norm"])
    assert load("quick", [cell]).variants == ("layer_norm_cell", "weight_norm")


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_gets_one_clear_message(case: str) -> None:
    override, message = BAD_SETTINGS[case]
    with pytest.raises(ConfigError, match=re.escape(message)):
        load("quick", [override])


def test_chunks_are_refused_for_a_variant_that_needs_windows() -> None:
    message = "training.samples chunks cannot train revin: it normalizes each window on its own"
    with pytest.raises(ConfigError, match=message):
        load("quick", ["variants=[none, revin]", "training.samples=chunks"])


@pytest.mark.parametrize("source", ["query", "file", "noise"])
def test_the_error_for_a_password_does_not_contain_it(source: str) -> None:
    """Nor by the error of pydantic behind the message, which a traceback would show."""
    data = f"data={{path: 'x://u:s3cret@h/d', source: {source}, query: select 1}}"
    with pytest.raises(ConfigError, match=r"path contains a password") as caught:
        load("quick", [data])
    assert "s3c" not in "".join(traceback.format_exception(caught.value))


def test_a_password_of_the_tracking_store_is_in_no_message() -> None:
    uri = "tracking={uri: 'postgresql+psycopg://writer:s3cret@db/mlflow'}"
    with pytest.raises(ConfigError, match=r"tracking.uri contains a password") as caught:
        load("quick", [uri])
    assert "s3c" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "name", ["o'brien", 'a"b', ".", "..", "a/b", "a:b", "a@b", " a", "a\\b", "a\nb", "", "x" * 201]
)
def test_a_name_that_the_registry_refuses_is_refused_before_training(name: str) -> None:
    tree = {"operation": {"model": name}}
    with pytest.raises(ConfigError, match=r"operation\.model must"):
        load("quick", [f"operation={json.dumps(tree['operation'])}"])


@pytest.mark.parametrize("name", ["foldproof", "US stocks (5d)", "动量", "a.b", "x" * 200])
def test_other_names_of_a_model_are_accepted(name: str) -> None:
    assert load("quick", [f"operation.model={json.dumps(name)}"]).operation.model == name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1", "not readable as YAML"),
        ("- a list", "a mapping of settings, not list"),
        ("", "not NoneType"),
        ("name: x\nvariants: [none]\n", "split: is missing"),
    ],
)
def test_a_bad_file_gets_one_clear_message(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(file)


def test_one_fault_of_a_list_is_reported_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load("quick", ["seeds=[a]"])
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py", "audit mine:forecast rows.parquet"),
        ("rows.csv", "data.source=file data.path=rows.csv"),
        ("rows.parquet", "audit module:function rows.parquet"),
    ],
)
def test_a_file_that_is_no_configuration_is_named_with_what_to_do(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"\xff")
    monkeypatch.chdir(tmp_path)
    for read in (load, study_of):
        with pytest.raises(ConfigError, match=re.escape(message)):
            read(name)


def test_a_missing_file_names_the_presets() -> None:
    with pytest.raises(
        ConfigError,
        match=re.escape("did you mean quick? Presets: batch_norm, nightly, noise, quick, sp500"),
    ):
        load("conf/quik.yaml")


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load("quick", ["training.epoch=5", "network.windows=3"])
    assert str(caught.value).count("did you mean") == 2


def test_the_yaml_has_no_python_tags() -> None:
    assert yaml.safe_load(to_yaml(load("sp500")))["network"]["window"] == 20


def test_a_configuration_is_known_before_the_slow_libraries_are_imported() -> None:
    code = "import sys; import conf.load; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PRESETS.parent, capture_output=True, text=True, check=True
    )
    slow = {"arch", "matplotlib", "mlflow", "prefect", "scipy", "skfolio", "sklearn", "statsmodels"}
    assert "torch" in done.stdout.split()
    assert not slow & set(done.stdout.split())


PATHS = "split={plan: combinatorial, groups: 6, tested: 2, validation: 1, embargo: 4}"


def test_a_combinatorial_plan_is_one_of_the_kinds_of_split() -> None:
    experiment = load("quick", [PATHS])
    expected = CombinatorialPurged(groups=6, tested=2, validation=1, embargo=4)
    assert experiment.split == expected
    assert isinstance(load("quick", ["split.plan=walk_forward"]).split, WalkForward)
    assert Experiment.model_validate(yaml.safe_load(to_yaml(experiment))) == experiment


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["split={plan: random}"], "split.plan must be 'walk_forward' or 'combinatorial'; it is"),
        ([PATHS, "split.group=3"], "split.group: no such key; did you mean split.groups?"),
        ([PATHS, "split.tested=five"], "split.tested must be a whole number; it is 'five'"),
        ([PATHS, "split.groups=2"], "split.groups must be at least 3; it is 2"),
        ([PATHS, "split.validation=0"], "split.validation must not be 0"),
        ([PATHS, "split.embargo=3"], "split.embargo must be at least 4 with windows of 10 rows"),
        ([PATHS, "seeds=[0, 1]"], "statistics.ensemble must be false with several seeds"),
        (
            [PATHS, "tuning.folds=1", "tuning.learning_rate=[0.1]"],
            "tuning.folds must be 0 with split.plan combinatorial",
        ),
        ([PATHS, "variants=[zscore, san]"], "variant san learns from the rows after its windows"),
        (
            ["split.plan=combinatorial"],
            "split.train: no setting of this split.plan; there are groups,",
        ),
        (["split=x"], "split is a section of settings, such as split.train=...; it is 'x'"),
        (["split.trian=5"], "split.trian: no such key; did you mean split.train?"),
    ],
)
def test_a_plan_that_does_not_fit_gets_one_clear_message(overrides, message) -> None:
    with pytest.raises(ConfigError) as caught:
        load("quick", overrides)
    assert message in str(caught.value)
    assert "walk_forward.t" not in str(caught.value)


def test_a_reference_may_be_one_feature() -> None:
    assert (
        load("quick", ["references=[ridge, feature:return_1]"]).references[1] == "feature:return_1"
    )
    for wrong in ("momentum_252_21", "features:return_1", "feature:"):
        with pytest.raises(ConfigError, match="references"):
            load("quick", [f"references=['{wrong}']"])


def test_a_normalized_window_is_not_undone_for_a_cross_sectional_target() -> None:
    experiment = load("quick", ["variants=[zscore, revin, revin -> return]"])
    assert experiment.target.kind == "cs_zscore"
    undone = [experiment.network_of(one).denormalize for one in experiment.variants]
    assert undone == [False, False, True]
    assert load("quick", ["target.kind=return"]).network_of("revin").denormalize
    kept = load("quick", ["target.kind=return", "network.denormalize=false"])
    assert not kept.network_of("revin").denormalize
