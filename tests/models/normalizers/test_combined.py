import re
from dataclasses import replace

import pytest
import torch

from foldproof.models.engine import fit, predict
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS, Variant, resolve, split_name
from foldproof.models.normalizers.combined import combined, trained_on
from foldproof.models.normalizers.hidden import HiddenLayerNorm
from foldproof.models.normalizers.window import InstanceNorm
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows, eligible


def places(name):
    one = resolve(name)
    return one.input, one.window, one.hidden


def test_the_input_is_that_of_the_first_and_the_rest_is_added():
    rank = VARIANTS["cs_rank"].input
    assert places("cs_rank + layer_norm") == (rank, None, HiddenLayerNorm)
    assert places("cs_rank + instance_norm + layer_norm") == (rank, InstanceNorm, HiddenLayerNorm)
    assert places("none + layer_norm") == (None, None, HiddenLayerNorm)
    assert places("zscore + layer_norm") == places("layer_norm")


def test_claims_are_the_strongest_of_the_parts():
    both = resolve("cs_rank + batch_norm_hidden")
    assert (both.coupling, both.training_coupling) == ("date", "batch")
    assert (both.causal, both.control, both.batches) == (True, False, None)
    leak = resolve("full_sample_zscore + causal_batch_norm")
    assert (leak.causal, leak.control, leak.batches) == (False, True, "chronological")


def test_words_mention_the_z_score_only_where_it_is():
    one = resolve("cs_rank + instance_norm")
    assert one.title == "Cross-sectional rank + Instance norm"
    assert "train z-score" not in one.formula
    assert one.statistics == "the date's members, then the window"


def test_batches_may_be_stated_for_a_variant_and_for_a_combination():
    assert resolve("zscore @ date_block") == replace(
        VARIANTS["zscore"], title="Train z-score, date_block batches", batches="date_block"
    )
    assert resolve("cs_rank + layer_norm @ date").batches == "date"
    assert resolve("batch_norm_date @ date_block").batches == "date_block"


def test_parts_that_need_different_batches_do_not_combine():
    one = Variant("a", "x", "here", window=InstanceNorm, batches="date")
    with pytest.raises(ValueError, match=r"'a \+ causal' needs chronological and date batches"):
        combined(["a", "causal"], [one, VARIANTS["causal_batch_norm"]])


def test_a_name_is_split_into_variants_and_batches():
    assert split_name("zscore") == (["zscore"], "", "")
    assert split_name("m:a + layer_norm @ date") == (["m:a", "layer_norm"], "date", "")
    assert split_name("a + b @ date -> cs_rank") == (["a", "b"], "date", "cs_rank")
    assert split_name("a -> return") == (["a"], "", "return")


def test_a_target_to_train_on_may_be_stated():
    assert resolve("zscore -> cs_rank") == replace(
        VARIANTS["zscore"], title="Train z-score, trained on cs_rank", target="cs_rank"
    )
    one = resolve("cs_rank + layer_norm @ date_block -> volatility_scaled")
    assert (one.batches, one.target) == ("date_block", "volatility_scaled")
    assert resolve("zscore").target is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zscore -> rank", "no kind of target 'rank'"),
        ("zscore -> ", "no kind of target ''"),
        ("zscore -> cs_rank @ date_block", "write @ before ->"),
        ("zscore->cs_rank", "write +, @, ~ and -> between spaces: cs_rank"),
        ("zscore -> cs_rank -> return", "no kind of target 'cs_rank -> return'"),
        ("zscores -> cs_rank", "did you mean zscore"),
    ],
)
def test_a_wrong_target_is_reported(name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve(name)


def test_parts_with_different_targets_do_not_combine():
    one = replace(VARIANTS["zscore"], target="cs_rank")
    other = Variant("b", "x", "here", hidden=HiddenLayerNorm, target="return")
    assert combined(["a", "b"], [one, replace(other, target=None)]).target == "cs_rank"
    with pytest.raises(ValueError, match="trains on the targets cs_rank and return at once"):
        combined(["a", "b"], [one, other])
    with pytest.raises(ValueError, match="trains on cs_rank; leave out -> return"):
        trained_on("a -> return", one, "return")


def trained(name, small, composition):
    variant = resolve(name)
    z = small.values
    if variant.input:
        state = variant.input.fit(z, small.member, range(290))
        z = variant.input.apply(z, small.member, state).values
    windows = Windows.of(z, small.target, 5)
    blocks = (
        eligible(z, small.member, rows, 5, small.target) for rows in (range(290), range(290, 320))
    )
    network = build(variant, 4, NetworkSpec(window=5, hidden=6), 0)
    spec = TrainingSpec(epochs=1, batch_size=64, batches=composition)
    fit(network, windows, *blocks, spec, 0, variant.batches)
    return predict(network, windows, eligible(z, small.member, range(320, 400), 5))


def test_stated_batches_are_those_that_it_trains_on(small):
    """As if the settings had them, and not as if they had others."""
    stated = trained("zscore @ date_block", small, "shuffled")
    assert torch.equal(stated, trained("zscore", small, "date_block"))
    assert not torch.equal(stated, trained("zscore", small, "shuffled"))


def test_a_combination_is_trained_with_all_its_parts(small):
    both = trained("cs_rank + layer_norm", small, "shuffled")
    assert both.isfinite().all()
    for one in ("cs_rank", "layer_norm", "cs_zscore + layer_norm"):
        assert not torch.equal(both, trained(one, small, "shuffled"))
