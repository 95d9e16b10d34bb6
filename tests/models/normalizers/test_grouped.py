"""Groups of features: each is normalized as if it were alone."""

import pytest
import torch

from foldproof.models.normalizers import (
    VARIANTS,
    grouped_name,
    resolve,
    variant_names,
    window_variants,
    with_features,
    with_state,
)

NAMES = ("noise", "price", "tied", "small")
ROWS = range(60, 250)
NAME = "zscore(small noise) & none(price) & cs_rank(*)"


def bound(name=NAME):
    return with_features(resolve(name), NAMES)


def test_each_group_is_normalized_as_if_it_were_alone(small):
    variant = bound()
    state = variant.input.fit(small.values, small.member, ROWS)
    result = variant.input.apply(small.values, small.member, state)
    alone = {"zscore": [0, 3], "none": [1], "cs_rank": [2]}
    for name, columns in alone.items():
        own, one = small.values[..., columns], VARIANTS[name].input
        values, slope = own, torch.ones(1)
        if one is not None:
            found = one.apply(own, small.member, one.fit(own, small.member, ROWS))
            values, slope = found
        torch.testing.assert_close(
            result.values[..., columns], values, rtol=0, atol=0, equal_nan=True
        )
        got = result.slope.expand_as(small.values)[..., columns]
        torch.testing.assert_close(got, slope.expand_as(own), rtol=0, atol=0)


def test_the_state_is_enough_to_normalize_again(small):
    """As at scoring, where no names are known."""
    state = bound().input.fit(small.values, small.member, ROWS)
    assert state["columns"].tolist() == [0, 1, 2, 0]
    unbound = resolve(NAME)
    expected = bound().input.apply(small.values, small.member, state)
    found = unbound.input.apply(small.values, small.member, state)
    torch.testing.assert_close(found.values, expected.values, rtol=0, atol=0, equal_nan=True)
    assert with_state(unbound, state).input == bound().input
    with pytest.raises(ValueError, match="need the names of the panel's features"):
        unbound.input.fit(small.values, small.member, ROWS)


def test_windows_of_a_group_are_normalized_by_its_own_normalizer():
    variant = bound("price_relative(price) & bin(noise tied) & zscore(*)")
    x = torch.randn(5, 6, 4, generator=torch.Generator().manual_seed(0)).exp()
    found, context = variant.window_for(4, 6)(x)
    assert context == ()
    price = VARIANTS["price_relative"].window_for(1, 6)(x[..., [1]])[0]
    others = VARIANTS["bin"].window_for(2, 6)(x[..., [0, 2]])[0]
    torch.testing.assert_close(found[..., [1]], price)
    torch.testing.assert_close(found[..., [0, 2]], others)
    torch.testing.assert_close(found[..., [3]], x[..., [3]])
    with pytest.raises(ValueError, match="need the names of the panel's features"):
        resolve("price_relative(price) & zscore(*)").window_for(4, 6)


def test_claims_are_the_strongest_of_the_groups():
    one = resolve("rolling_robust_zscore(a) & full_sample_zscore(b) & cs_rank(*) + layer_norm")
    assert (one.coupling, one.training_coupling) == ("date", "date")
    assert (one.causal, one.control, one.batches) == (False, True, None)
    assert one.hidden is VARIANTS["layer_norm"].hidden
    assert resolve("expanding_zscore(a) & zscore(*)").unbounded
    assert resolve("price_relative(a) & zscore(*)").positive
    assert resolve("bin(a) & zscore(*)").kinks == VARIANTS["bin"].kinks
    assert resolve("zscore(a) & zscore(*) @ date_block").batches == "date_block"
    assert resolve("cs_zscore(a) & cs_rank(*)").input.independent == "dates"
    assert resolve("cs_zscore(a) & rolling_zscore(*)").input.independent is None


def test_a_mapping_of_features_to_variants_is_a_name():
    name = grouped_name({"close": "price_relative", "*": "cs_rank"})
    assert name == "price_relative(close) & cs_rank(*)"
    assert variant_names(name) == ["price_relative", "cs_rank"]
    assert variant_names("zscore") == ["zscore"]


def test_windows_that_are_normalized_apart_are_those_of_the_groups():
    groups = [VARIANTS["instance_norm"], VARIANTS["zscore"]]
    assert window_variants(resolve("instance_norm(a) & zscore(*)")) == groups
    assert window_variants(VARIANTS["zscore"]) == [VARIANTS["zscore"]]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zscore(noise) & cs_rank", "must state a normalization and its features for each group"),
        ("zscore() & cs_rank(*)", "must state a normalization and its features"),
        ("zscor(noise) & cs_rank(*)", "no normalization variant 'zscor'; did you mean zscore"),
        ("layer_norm(noise) & cs_rank(*)", "layer_norm normalizes more than the features of a gro"),
        ("revin(noise) & cs_rank(*)", "revin normalizes more than the features of a group"),
        ("zscore(a) & bin(*) + instance_norm", "both normalize the windows"),
    ],
)
def test_what_is_no_grouping_says_so(name, says):
    with pytest.raises(ValueError, match=says):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zscore(noise) & cs_rank(price)", "leaves out the feature 'tied'; name it in a group, or"),
        ("zscore(nois*) & cs_rank(prices *)", "'prices' is not a feature .* did you mean price"),
        ("zscore(*) & cs_rank(price)", "'price' is not a feature that an earlier group"),
    ],
)
def test_features_that_do_not_fit_the_groups_are_named(name, says):
    with pytest.raises(ValueError, match=says):
        bound(name)
