"""The native LSTM against nn.LSTM: values, gradients, bits."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foldproof.models import engine
from foldproof.models.engine import lstm_engine, native_refusal, require_engine
from foldproof.models.native import kernel as native
from foldproof.models.native.kernel import (
    HiddenStates,
    Kernel,
    Place,
    last_hidden,
    last_hidden_at,
    parameters_of,
)
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from tests.models.kernels import BUILDS

SOURCE = Path(native.__file__).with_name("lstm.c")
SHAPES = [
    (20, 14, 32, 512, 1),
    (20, 20, 64, 200, 1),
    (40, 12, 32, 333, 1),
    (7, 3, 24, 50, 2),
    (60, 6, 64, 101, 2),
    (10, 14, 16, 13, 3),
    (5, 158, 128, 49, 1),
    (1, 4, 8, 2, 1),
    (6, 5, 7, 1, 3),
    (9, 1, 1, 25, 2),
]
"""T, F, H, B, layers."""
CLOSE = 3
"""Our error is at most this many times the error of nn.LSTM in float32."""
ROUNDING = 1e-7
"""Errors below this share of the largest entry count as equal: a unit in the last place is 6e-8."""


def lstm_of(features: int, hidden: int, layers: int, seed: int = 0) -> nn.LSTM:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.LSTM(features, hidden, layers, batch_first=True)


def windows_of(samples: int, steps: int, features: int, seed: int = 0) -> Tensor:
    return torch.randn(samples, steps, features, generator=torch.Generator().manual_seed(seed))


def hidden_states_of(kernel: Kernel, x: Tensor, lstm: nn.LSTM, steps: int) -> Tensor:
    return HiddenStates.apply(kernel, steps, None, True, x, *parameters_of(lstm))


def last_state(kernel: Kernel, x: Tensor, lstm: nn.LSTM) -> Tensor:
    return hidden_states_of(kernel, x, lstm, 1).squeeze(1)


def slopes(forward, lstm: nn.LSTM, x: Tensor, weights: Tensor) -> list[Tensor]:
    """Last hidden state, and the gradients of its weighted sum by x and by each parameter."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    last = forward(x)
    by = torch.autograd.grad((last * weights).sum(), [x, *lstm.parameters()])
    return [last.detach().double(), *(one.double() for one in by)]


def errors(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    """Largest error of each tensor as a share of its largest entry."""
    return [
        float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))
        for a, b in zip(found, exact, strict=True)
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_errors_are_those_of_float32(kernel: Kernel, shape: tuple[int, ...]) -> None:
    steps, features, hidden, samples, layers = shape
    lstm = lstm_of(features, hidden, layers)
    double = nn.LSTM(features, hidden, layers, batch_first=True).double()
    double.load_state_dict(lstm.state_dict())
    x, weights = windows_of(samples, steps, features), windows_of(samples, hidden, 1, 1)[..., 0]
    exact = slopes(lambda x: double(x)[1][0][-1], double, x.double(), weights.double())
    plain = slopes(lambda x: lstm(x)[1][0][-1], lstm, x, weights)

    def ours(x: Tensor) -> Tensor:
        return last_state(kernel, x, lstm)

    found = slopes(ours, lstm, x, weights)
    for place, (mine, theirs) in enumerate(
        zip(errors(found, exact), errors(plain, exact), strict=True)
    ):
        assert mine <= CLOSE * max(theirs, ROUNDING), place
    again = slopes(ours, lstm, x, weights)
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))
    steps_first = x.transpose(0, 1).contiguous().transpose(0, 1)
    other_layout = slopes(ours, lstm, steps_first, weights)
    assert all(torch.equal(a, b) for a, b in zip(found, other_layout, strict=True))


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_errors_in_float64_are_a_few_of_its_last_digits(
    double_kernel: Kernel, shape: tuple[int, ...], scale: float
) -> None:
    """A large scale saturates the gates."""
    steps, features, hidden, samples, layers = shape
    lstm = lstm_of(features, hidden, layers).double()
    x = scale * windows_of(samples, steps, features).double()
    weights = windows_of(samples, hidden, 1, 1)[..., 0].double()
    expected = slopes(lambda x: lstm(x)[1][0][-1], lstm, x, weights)
    found = slopes(lambda x: last_state(double_kernel, x, lstm), lstm, x, weights)
    assert max(errors(found, expected)) < 2e-13


def test_small_states_in_float64_keep_their_relative_precision(double_kernel: Kernel) -> None:
    """tanh x is x where x is small: not the rounding of e^2x - 1."""
    lstm = lstm_of(1, 1, 1).double()
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.zero_()
        lstm.weight_ih_l0[2] = 1.0  # of the cell gate: c = tanh(x) / 2, h = tanh(c) / 2
        x = torch.logspace(-290, 1.5, 500, dtype=torch.float64)
        found = last_state(double_kernel, torch.cat([x, -x]).view(-1, 1, 1), lstm).flatten()
    expected = ((x.tanh() / 2).tanh() / 2).repeat(2)
    expected[len(x) :] *= -1
    assert ((found - expected) / expected).abs().max() < 1e-15


@pytest.mark.parametrize("shape", [(9, 3, 21, 14, 1), (7, 4, 16, 5, 2), (5, 2, 8, 3, 1)], ids=str)
def test_states_of_the_last_steps_are_those_of_torch(
    kernel: Kernel, shape: tuple[int, ...]
) -> None:
    length, features, hidden, samples, layers = shape
    lstm, x = lstm_of(features, hidden, layers), windows_of(samples, length, features)
    for steps in (1, 2, length):
        weights = windows_of(samples, steps, hidden, 1)
        expected = slopes(lambda x, n=steps: lstm(x)[0][:, -n:], lstm, x, weights)
        found = slopes(lambda x, n=steps: hidden_states_of(kernel, x, lstm, n), lstm, x, weights)
        assert max(errors(found, expected)) < 1e-5


def test_a_forecast_and_its_slope_do_not_depend_on_batch_mates(any_kernel: Kernel) -> None:
    kernel = any_kernel
    lstm = lstm_of(5, 21, 2).to(kernel.dtype)
    x = windows_of(40, 6, 5).to(kernel.dtype).requires_grad_()
    whole = last_state(kernel, x, lstm)
    (by_x,) = torch.autograd.grad(whole.sum(), x)
    for chosen in ([3], [39, 0, 17], list(range(39, -1, -1)), [7] * 13, list(range(5, 30))):
        part = x.detach()[chosen].requires_grad_()
        last = last_state(kernel, part, lstm)
        assert torch.equal(last, whole[chosen])
        assert torch.equal(torch.autograd.grad(last.sum(), part)[0], by_x[chosen])
        with torch.no_grad():  # without kept activations
            assert torch.equal(last_state(kernel, part, lstm), whole[chosen])


@pytest.mark.parametrize("layers", [1, 2])
def test_windows_read_from_rows_are_those_cut_from_them(kernel: Kernel, layers: int) -> None:
    lstm, rows = lstm_of(3, 11, layers), windows_of(1, 60, 3)[0]
    starts = torch.tensor([4, 0, 53, 4, *range(30)])
    cut = rows.unfold(0, 7, 1).transpose(1, 2)[starts]
    weights = windows_of(len(starts), 11, 1, 1)[..., 0]
    found = []
    for x, place in ((cut, None), (rows, Place(starts, 7))):
        last = HiddenStates.apply(kernel, 1, place, True, x, *parameters_of(lstm)).squeeze(1)
        by_weights = torch.autograd.grad((last * weights).sum(), [*lstm.parameters()])
        found.append([last, *by_weights])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("start", [-1, 54])
def test_a_window_beyond_the_rows_is_refused(kernel: Kernel, start: int) -> None:
    lstm, rows = lstm_of(3, 5, 1), windows_of(1, 60, 3)[0]
    place = Place(torch.tensor([3, start]), 7)
    with pytest.raises(IndexError, match=r"windows of 7 rows must lie within the 60 rows"):
        last_hidden_at(kernel, lstm, rows, place)


def test_rows_that_windows_share_have_no_gradient(kernel: Kernel) -> None:
    lstm, rows = lstm_of(3, 5, 1), windows_of(1, 60, 3)[0].requires_grad_()
    last = last_hidden_at(kernel, lstm, rows, Place(torch.tensor([3]), 7))
    with pytest.raises(NotImplementedError, match="rows that windows share"):
        last.sum().backward()


def test_missing_and_infinite_cells_do_as_in_torch(any_kernel: Kernel) -> None:
    kernel, dtype = any_kernel, any_kernel.dtype
    lstm, x = lstm_of(4, 19, 1).to(dtype), windows_of(30, 6, 4).to(dtype)
    x[3, 2, 1], x[8, 0, 0], x[20, 5, 2], x[21, 3, 3] = torch.nan, torch.inf, -torch.inf, 1e30
    with torch.no_grad():
        found = last_state(kernel, x, lstm)
        expected = lstm(x)[1][0][-1]
    assert found[3].isnan().all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert found[[8, 20, 21]].isfinite().all()


def test_large_weights_saturate_as_in_torch(kernel: Kernel) -> None:
    lstm, x = lstm_of(4, 8, 1), windows_of(500, 12, 4) * 50
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.mul_(20)
        found, plain = last_state(kernel, x, lstm), lstm(x)[1][0][-1]
        exact = lstm.double()(x.double())[1][0][-1]
    assert (found - exact).abs().max() <= CLOSE * (plain - exact).abs().max()


@pytest.mark.parametrize("wanted", ["x", "weights"])
def test_only_the_gradients_asked_for_are_made(kernel: Kernel, wanted: str) -> None:
    lstm, x = lstm_of(4, 8, 2).requires_grad_(wanted == "weights"), windows_of(14, 5, 4)
    x.requires_grad_(wanted == "x")
    leaves = [x] if wanted == "x" else list(lstm.parameters())
    found = torch.autograd.grad(last_state(kernel, x, lstm).sum(), leaves)
    expected = torch.autograd.grad(lstm(x)[1][0][-1].sum(), leaves)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_an_input_that_overlaps_itself_gets_its_gradient(kernel: Kernel) -> None:
    lstm, row = lstm_of(4, 8, 1), windows_of(1, 6, 4).requires_grad_()
    (expected,) = torch.autograd.grad(lstm(row.expand(15, 6, 4))[1][0][-1].sum(), row)
    last = last_state(kernel, row.expand(15, 6, 4), lstm)
    torch.testing.assert_close(torch.autograd.grad(last.sum(), row)[0], expected)


def test_the_second_derivative_is_refused(kernel: Kernel) -> None:
    lstm, x = lstm_of(4, 8, 1), windows_of(3, 5, 4).requires_grad_()
    last = last_state(kernel, x, lstm)
    (slope,) = torch.autograd.grad(last.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(
    "case",
    ["bfloat16", "bidirectional", "projected", "dropout", "steps first", "no bias", "hook", "own"],
)
def test_other_lstms_run_on_torch(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "kernel", lambda *_: pytest.fail("the native LSTM was asked for"))
    settings: dict[str, object] = {
        "bidirectional": {"bidirectional": True},
        "projected": {"proj_size": 3},
        "dropout": {"dropout": 0.5, "num_layers": 2},
        "steps first": {"batch_first": False},
        "no bias": {"bias": False},
    }.get(case, {})
    lstm = nn.LSTM(4, 8, **({"batch_first": True} | settings))
    x = windows_of(3, 5, 4)
    if case == "bfloat16":
        lstm, x = lstm.bfloat16(), x.bfloat16()
    if case == "hook":
        lstm.register_forward_hook(lambda *_: None)
    if case == "own":
        vars(lstm)["forward"] = type(lstm).forward.__get__(lstm)
    torch.manual_seed(0)
    found = last_hidden(lstm, x)
    torch.manual_seed(0)
    assert torch.equal(found, lstm(x)[1][0][-1])


def test_a_wrong_width_is_refused_as_by_torch() -> None:
    with pytest.raises(RuntimeError, match=r"input.size"):
        last_hidden(lstm_of(4, 8, 1), windows_of(3, 5, 3))


@pytest.mark.skipif(not BUILDS, reason="not built")
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_forecasts_and_learns_alike_on_both_engines(name: str) -> None:
    spec = NetworkSpec(window=6, hidden=9)
    x, dates = windows_of(30, 6, 4), torch.arange(30) // 6
    found = []
    for runs in ("native", "torch"):
        network = build(VARIANTS[name], 4, spec, 0, runs)
        assert network.native is (runs == "native" and VARIANTS[name].native)
        forecast = network(x, dates)
        forecast.square().mean().backward()
        found.append([forecast, *(one.grad for one in network.parameters())])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_library_that_disagrees_with_torch_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.random.get_rng_state()
    monkeypatch.setattr(native, "largest_difference", lambda _: 2 * native.AGREEMENT[torch.float32])
    assert native.kernel.__wrapped__() is None
    monkeypatch.undo()
    if BUILDS:
        found = native.kernel.__wrapped__()
        assert found is not None
        assert found.instructions == BUILDS[0]
        assert native.largest_difference(found) < 1e-6
        double = native.kernel.__wrapped__(torch.float64)
        assert double is not None
        assert double.instructions == BUILDS[0]
        assert native.largest_difference(double) < 1e-14
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.skipif(not BUILDS, reason="not built")
def test_a_gradient_that_is_no_number_is_a_difference(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward = HiddenStates.backward

    def broken(ctx, by_last):
        *rest, last = backward(ctx, by_last)
        return (*rest, last * torch.nan)

    monkeypatch.setattr(HiddenStates, "backward", staticmethod(broken))
    assert not native.largest_difference(kernel) < native.AGREEMENT[torch.float32]


@pytest.mark.skipif(not BUILDS, reason="not built")
def test_the_library_is_built_from_the_present_source(kernel: Kernel) -> None:
    """If this fails: python setup.py build_ext --inplace."""
    assert kernel.source == hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]


@pytest.mark.skipif(not BUILDS, reason="not built")
def test_a_library_of_another_source_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions may take other arguments."""
    monkeypatch.setattr(native, "sha256", lambda _: hashlib.sha256(b"int main;"))
    with pytest.raises(OSError, match="built from another"):
        native.loaded(BUILDS[0])
    assert native.kernel.__wrapped__() is None


def test_the_engine_is_named_and_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    network, training = NetworkSpec(), TrainingSpec(device="cpu")
    deep = NetworkSpec(layers=2, dropout=0.1)
    assert lstm_engine(network, replace(training, engine="torch")) == "torch"
    assert lstm_engine(deep, training) == "torch"
    found = native.kernel()
    assert lstm_engine(network, training) == (found.name if found else "torch")
    asked = replace(training, engine="native")
    with pytest.raises(ValueError, match=r"has no dropout between layers; set network.dropout"):
        require_engine(deep, asked)
    with pytest.raises(ValueError, match=r"runs on the CPU only; set training.device to cpu, or"):
        require_engine(network, replace(asked, device="cuda"))
    monkeypatch.setattr(engine, "kernel", lambda: None)
    assert lstm_engine(network, training) == "torch"
    require_engine(network, training)
    assert "C compiler" in native_refusal(network, training)
    with pytest.raises(ValueError, match=r"training.engine: native is not built .* C compiler, or"):
        require_engine(network, asked)


@pytest.mark.skipif(not BUILDS, reason="no C compiler")
@pytest.mark.parametrize(
    ("dtype", "macros", "end", "most"),
    [(torch.float32, [], "", 1e-6), (torch.float64, ["-DDOUBLE"], "_double", 1e-14)],
    ids=str,
)
def test_vectors_of_16_bytes_as_on_arm_agree_too(
    dtype: torch.dtype, macros: list[str], end: str, most: float, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """ARM builds use the same code, without instructions of x86."""
    options = ["-O1", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC"]
    library = tmp_path / f"lstm_four{end}.so"
    subprocess.run(["cc", *options, *macros, "-o", str(library), str(SOURCE)], check=True)
    monkeypatch.setattr(native, "files", lambda _: tmp_path)
    assert native.largest_difference(native.loaded("four", dtype)) < most
