"""Leaky controls: what they read of the future, computed in another way."""

import pandas as pd
import pytest
import torch

from foldproof.models.engine import fit, predict
from foldproof.models.leaky import without_singles
from foldproof.models.network import build
from foldproof.models.normalizers import CONTROLS, VARIANTS, Scoring, Variant, resolve
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows, eligible


@pytest.mark.parametrize(("name", "before", "after"), [("centred_rolling_zscore", 10, 10),
                                                       ("horizon_zscore", 19, 5)])  # fmt: skip
def test_the_window_reaches_into_the_future_as_far_as_stated(name, before, after, small):
    values, place = small.values, 200
    control = CONTROLS[name].input
    found = control.apply(values, small.member, {}).values[place, 2]
    rows = pd.DataFrame(values[place - before : place + after + 1, 2].double().numpy())
    expected = (rows.iloc[before] - rows.mean()) / rows.std(ddof=0)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.fixture
def scored(small):
    """(network, windows, samples, forecasts) of an untrained control on the newest rows."""

    def score(name):
        control = CONTROLS[name]
        state = control.input.fit(small.values, small.member, range(290))
        z = control.input.apply(small.values, small.member, state).values
        windows = Windows.of(z, small.target, 5)
        samples = eligible(z, small.member, range(360, 400), 5)
        network = build(control, 4, NetworkSpec(window=5, hidden=6), 0)
        return network, windows, samples, predict(network, windows, samples)

    return score


def hidden_states(network, windows, samples):
    with torch.no_grad():
        return network.lstm(windows.gather(samples))[1][0][-1]


def test_updated_statistics_are_those_of_the_scored_samples(scored):
    network, windows, samples, forecast = scored("batch_norm_updated")
    last = hidden_states(network, windows, samples)
    norm = network.hidden.norm
    torch.testing.assert_close(norm.running_mean, last.mean(0), rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1
    with torch.no_grad():
        z = (last - last.mean(0)) / (last.var(0) + 1e-5).sqrt()
        by_hand = network.head(z * norm.weight + norm.bias).squeeze(-1)
    torch.testing.assert_close(forecast, by_hand, rtol=1e-3, atol=1e-4)


def test_training_mode_normalizes_a_block_of_dates_by_itself(scored):
    network, windows, samples, forecast = scored("batch_norm_train_mode_dates")
    days, counts = windows.date(samples).unique(return_counts=True)
    whole = days[counts.cumsum(0) <= 5 * 9]  # as many samples as 5 dates of 9 stocks can have
    block = windows.date(samples) <= whole[-1]
    last = hidden_states(network, windows, samples[block])
    with torch.no_grad():
        z = (last - last.mean(0)) / (last.var(0, unbiased=False) + 1e-5).sqrt()
        by_hand = network.head(z).squeeze(-1)
    torch.testing.assert_close(forecast[block], by_hand, rtol=1e-4, atol=1e-5)
    assert network.training  # as it was given


@pytest.mark.parametrize(("name", "reads"), [("san", False), ("san_unpurged", True)])
def test_only_the_control_learns_from_the_rows_after_its_windows_and_blocks(name, reads, small):
    """Noise in every row after the training block, and then in those after the validation block."""
    z = resolve("zscore").input
    values = z.apply(small.values, small.member, z.fit(small.values, small.member, range(290)))
    spec = TrainingSpec(epochs=1, batch_size=256, device="cpu")

    def learned(first_changed):
        changed = values.values[:330].clone()
        changed[first_changed:] = torch.randn(changed[first_changed:].shape)
        windows = Windows.of(changed, small.target[:330], 5)
        train, validation = (
            eligible(changed, small.member[:330], rows, 5, small.target[:330])
            for rows in (range(290), range(290, 320))
        )
        network = build(resolve(name), 4, NetworkSpec(window=5, hidden=4), 0)
        fit(network, windows, train, validation, spec, 0)
        return torch.cat([one.flatten() for one in network.window.parameters()])

    untouched = learned(330)
    assert torch.equal(untouched, learned(290)) is not reads
    assert torch.equal(untouched, learned(320)) is not reads


def test_a_pass_of_one_sample_joins_the_one_before():
    order = [torch.tensor([3]), torch.tensor([4, 5]), torch.tensor([6]), torch.tensor([7, 8])]
    assert [one.tolist() for one in without_singles(order)] == [[3, 4, 5, 6], [7, 8]]


def test_only_controls_may_be_scored_in_passes_that_leak():
    for claims in ({"scoring": Scoring("date", 1)}, {"coupling": "batch"}):
        with pytest.raises(ValueError, match="only a control may set scoring, or claim coupling"):
            Variant("mine", "x", "here", **claims)
    assert all(one.control and not one.causal for one in CONTROLS.values())
    assert not any(one.scoring for one in VARIANTS.values())


def test_controls_are_resolved_and_combined_by_name():
    assert resolve("horizon_zscore") is CONTROLS["horizon_zscore"]
    both = resolve("cs_rank + batch_norm_updated")
    assert (both.control, both.coupling) == (True, "batch")
    assert both.scoring == CONTROLS["batch_norm_updated"].scoring
    with pytest.raises(ValueError, match="did you mean horizon_zscore"):
        resolve("horizon_zscor")
