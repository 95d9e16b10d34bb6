"""The catalogue and its input normalizers; the claims: tests/tasks/diagnose/certify."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from foldproof.models.batches import BATCHES
from foldproof.models.normalizers import CONTROLS, VARIANTS, Variant, resolve
from tests.variants import INPUTS, input_of

TRAIN = range(290)
EXPECTED = [
    "none", "zscore", "robust_zscore", "rolling_zscore", "ewm_zscore", "cs_zscore", "cs_rank",
    "min_max", "rolling_rank", "volatility_scaled",
    "cs_rank_normal", "rolling_cs_zscore", "cs_rolling_zscore", "cs_robust_zscore",
    "neutral_zscore",
    "expanding_zscore", "rolling_robust_zscore", "quantile_normal", "arcsinh", "score_driven",
    "instance_norm", "revin", "robust_instance_norm", "price_relative", "dain", "bin", "st_norm",
    "edain", "dish_ts", "san", "batch_norm", "batch_norm_hidden", "batch_norm_date", "layer_norm",
    "rms_norm", "dynamic_tanh", "ghost_batch_norm", "batch_renorm", "precise_batch_norm",
    "layer_norm_cell", "recurrent_batch_norm", "input_to_hidden_batch_norm", "weight_norm",
    "causal_batch_norm", "full_sample_zscore",
]  # fmt: skip


def test_the_keys_are_fixed():
    assert list(VARIANTS) == EXPECTED
    with pytest.raises(TypeError):
        VARIANTS["another"] = VARIANTS["none"]
    with pytest.raises(FrozenInstanceError):
        VARIANTS["none"].title = "other"


@pytest.mark.parametrize(
    ("name", "place", "kind"),
    [
        ("instance_norm", "window", "InstanceNorm"),
        ("revin", "window", "RevIN"),
        ("robust_instance_norm", "window", "RobustInstanceNorm"),
        ("price_relative", "window", "PriceRelative"),
        ("dain", "window", "DAIN"),
        ("bin", "window", "BIN"),
        ("edain", "window", "EDAIN"),
        ("st_norm", "window", "STNorm"),
        ("dish_ts", "window", "DishTS"),
        ("san", "window", "SAN"),
        ("batch_norm", "window", "FeatureBatchNorm"),
        ("batch_norm_hidden", "hidden", "HiddenBatchNorm"),
        ("batch_norm_date", "hidden", "DateBatchNorm"),
        ("layer_norm", "hidden", "HiddenLayerNorm"),
        ("rms_norm", "hidden", "HiddenRMSNorm"),
        ("dynamic_tanh", "hidden", "DynamicTanh"),
        ("ghost_batch_norm", "hidden", "GhostBatchNorm"),
        ("batch_renorm", "hidden", "BatchRenorm"),
        ("precise_batch_norm", "hidden", "PreciseBatchNorm"),
        ("layer_norm_cell", "cell", "LayerNormCell"),
        ("recurrent_batch_norm", "cell", "RecurrentBatchNorm"),
        ("input_to_hidden_batch_norm", "cell", "InputToHiddenBatchNorm"),
        ("weight_norm", "cell", "WeightNorm"),
        ("causal_batch_norm", "hidden", "CausalBatchNorm"),
    ],
)
def test_learned_variants_differ_from_the_zscore_in_one_place_only(name, place, kind):
    """Some read raw features instead: they are the input's only normalizer. One reads cs_zscore."""
    variant = VARIANTS[name]
    parts = {one: getattr(variant, one) for one in ("input", "window", "cell", "hidden")}
    assert parts.pop(place).__name__ == kind
    alone = name in ("batch_norm", "price_relative")
    before = "cs_zscore" if name == "st_norm" else "zscore"
    assert parts.pop("input") == (None if alone else VARIANTS[before].input)
    assert set(parts.values()) == {None}


def test_exactly_one_variant_leaks_and_is_a_control():
    assert [name for name, v in VARIANTS.items() if v.control] == ["full_sample_zscore"]
    assert [name for name, v in VARIANTS.items() if not v.causal] == ["full_sample_zscore"]


@pytest.mark.parametrize("name", [*VARIANTS, *CONTROLS])
def test_it_has_every_text_of_the_catalogue(name):
    variant = resolve(name)
    for text in ("title", "formula", "statistics", "source", "good_for", "trap"):
        assert getattr(variant, text), text
    assert variant.batches is None or variant.batches in BATCHES


@pytest.mark.parametrize("name", INPUTS)
def test_normalized_values_keep_shape_and_missing_cells(name, small):
    normalizer = input_of(name)
    before = small.values.clone()
    state = normalizer.fit(small.values, small.member, TRAIN)
    result = normalizer.apply(small.values, small.member, state)
    assert torch.equal(before.nan_to_num(-9), small.values.nan_to_num(-9))
    assert result.values.dtype == result.slope.dtype == torch.float32
    assert result.values.shape == small.values.shape
    torch.broadcast_shapes(result.slope.shape, small.values.shape)
    assert result.values[small.values.isnan()].isnan().all()
    warm = result.values[320:][small.values[320:].isfinite()]
    assert warm.isfinite().all()
    assert result.slope.isfinite().all()


@pytest.mark.parametrize("name", INPUTS)
def test_a_constant_column_and_a_date_with_one_member_stay_finite(name, small):
    normalizer = input_of(name)
    values, member = small.values.clone(), small.member.clone()
    values[..., 2] = 0.1
    member[350] = False
    member[350, 4] = True
    values[350, 4] = torch.tensor([0.5, 100.0, 0.1, 1e-3])
    result = normalizer.apply(values, member, normalizer.fit(values, member, TRAIN))
    assert result.values[350, 4].isfinite().all()
    assert result.slope.isfinite().all()
    constant = result.values[300:, :, 2]
    assert constant.isfinite().all()
    if name == "volatility_scaled":  # no mean is removed
        assert constant[member[300:]] == pytest.approx(1.0)
    elif name not in ("cs_rank", "rolling_rank"):  # their middle rank (n + 1) / 2n is above 0.5
        assert (constant.abs() < 1e-6)[member[300:]].all()


@pytest.mark.parametrize("name", INPUTS)
def test_the_slope_is_the_derivative_with_fixed_statistics(name, small):
    """Where no statistic moves with the cell; ranks have slope 1 instead."""
    normalizer = input_of(name)
    state = normalizer.fit(small.values, small.member, TRAIN)
    if not state or "rank" in name or name in ("score_driven", "neutral_zscore"):
        return
    values = small.values.double().requires_grad_()
    result = normalizer.apply(values, small.member, state)
    (gradient,) = torch.autograd.grad(result.values.nansum(), values)
    slope = result.slope.expand_as(gradient)
    known = small.values.isfinite()
    torch.testing.assert_close(gradient[known], slope[known], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_resolve_knows_every_key(name):
    assert resolve(name) is VARIANTS[name]


def test_resolve_imports_a_user_s_variant(tmp_path, monkeypatch):
    code = "from foldproof.models.normalizers import Variant\nBEST = Variant('mine', 'x', 'here')\n"
    (tmp_path / "own_variants.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("own_variants:BEST") == Variant("mine", "x", "here")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zscor", "did you mean zscore"),
        ("qqq", "there are none, zscore, robust_zscore"),
        ("cs_rank+layer_norm", "write ., @, ~ and -> between spaces: cs_rank . layer_norm"),
        ("layer_norm + cs_rank", "cs_rank normalizes nothing but the input"),
        ("cs_rank + layer_norm + rms_norm", "layer_norm and rms_norm both normalize the last hid"),
        ("revin + instance_norm", "revin and instance_norm both normalize the windows"),
        ("none + qqq", "there is no normalization variant 'qqq'"),
        ("zscore @ dateblock", "no batches 'dateblock'; did you mean date_block"),
        ("causal_batch_norm @ shuffled", "needs chronological batches; leave out @ shuffled"),
        ("none + nowhere.at.all:X", "cannot be imported: No module named 'nowhere'"),
        ("nowhere.at.all:X", "cannot be imported: No module named 'nowhere'"),
        ("foldproof.models.normalizers:nothing", "defines no 'nothing'"),
        (":x", "cannot be imported"),
        (
            "foldproof.models.normalizers:VARIANTS",
            "an instance of Variant; it is of type mappingproxy",
        ),
    ],
)
def test_resolve_says_what_is_wrong(name, says):
    with pytest.raises(ValueError, match=says):
        resolve(name)
