"""The fast LSTM gives torch's outputs and gradients by inputs."""

import pytest
import torch
from torch import Tensor, nn

from foldproof.models.native.kernel import kernel
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.attribute.network.fast_lstm import supported, use_fast_lstm
from foldproof.tasks.attribute.network.gradients import eval_mode

TOLERANCE = {torch.float64: 1e-13, torch.float32: 2e-6}


def lstm(dtype: torch.dtype = torch.float64, **how: object) -> nn.LSTM:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = nn.LSTM(3, 5, **how).to(dtype).eval()
    for weight in made.parameters():
        weight.data.mul_(3)  # far from linear
    return made


def points(batch_first: bool = True, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    shape = (4, 7, 3) if batch_first else (7, 4, 3)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def read(part: nn.LSTM, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """All outputs, and the gradient by x of a sum in which each cell of them has its weight."""
    x = x.detach().requires_grad_()
    whole, (hidden, cell) = part(x)
    outputs = [whole, hidden, cell]
    generator = torch.Generator().manual_seed(6)
    weights = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in outputs]
    total = sum((w * o).sum() for w, o in zip(weights, outputs, strict=True))
    (slopes,) = torch.autograd.grad(total, x)
    return [o.detach() for o in outputs], slopes


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "how",
    [
        {"batch_first": True},
        {"batch_first": False},
        {"batch_first": True, "num_layers": 3, "dropout": 0.5},
        {"batch_first": True, "bias": False},
    ],
)
def test_outputs_and_gradients_equal_those_of_torch(how: dict, dtype: torch.dtype) -> None:
    part, x = lstm(dtype, **how), points(how["batch_first"], dtype)
    expected, expected_slopes = read(part, x)
    assert use_fast_lstm(part) == [part]
    outputs, slopes = read(part, x)
    for one, other in zip([*outputs, slopes], [*expected, expected_slopes], strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE[dtype] * 30)


@pytest.mark.parametrize("chosen", ["whole", "last", "cell"])
def test_gradients_through_a_single_output(chosen: str) -> None:
    def slopes(part: nn.LSTM) -> Tensor:
        x = points().requires_grad_()
        whole, (hidden, cell) = part(x)
        picked = {"whole": whole[:, 2:5], "last": hidden[-1], "cell": cell[-1]}[chosen]
        return torch.autograd.grad(picked.square().sum(), x)[0]

    part = lstm(batch_first=True)
    expected = slopes(part)
    use_fast_lstm(part)
    torch.testing.assert_close(slopes(part), expected, rtol=1e-11, atol=1e-13)
    assert expected.abs().max() > 0.01


def test_gradients_equal_finite_differences() -> None:
    part = lstm(batch_first=True)
    use_fast_lstm(part)
    assert torch.autograd.gradcheck(lambda x: part(x)[1][0], points().requires_grad_())


def test_the_fast_lstm_is_the_one_that_runs() -> None:
    part = lstm(batch_first=True).requires_grad_(False)
    x = points().requires_grad_()
    names = lambda: {type(one[0]).__name__ for one in part(x)[0].grad_fn.next_functions}  # noqa: E731
    assert "RecurrenceBackward" not in names()
    use_fast_lstm(part)
    assert "RecurrenceBackward" in names()


def test_unsupported_cases_use_torch() -> None:
    part, x = lstm(batch_first=True), points()
    state = (torch.ones(1, 4, 5).double(), torch.ones(1, 4, 5).double())
    expected, single = part(x, state)[0], part(x[0])[0]
    use_fast_lstm(part)
    torch.testing.assert_close(part(x, state)[0], expected, rtol=0, atol=0)
    torch.testing.assert_close(part(x[0])[0], single, rtol=0, atol=0)
    assert not supported(lstm(bidirectional=True))
    assert not supported(lstm(proj_size=2))
    assert use_fast_lstm(nn.Sequential(nn.GRU(3, 5), nn.Linear(3, 3))) == []


def test_eval_mode_uses_the_fast_lstm_and_restores_the_plain_one() -> None:
    part = lstm(batch_first=True)
    with eval_mode(part):
        assert "forward" in vars(part)
        with eval_mode(part):
            pass
        assert "forward" in vars(part), "the inner block must not restore the plain LSTM"
    assert "forward" not in vars(part)
    whole, _ = part(points())
    whole.sum().backward()
    assert part.weight_hh_l0.grad is not None


def test_weights_are_read_at_each_call() -> None:
    part = lstm(batch_first=True)
    use_fast_lstm(part)
    before = part(points().requires_grad_())[0].detach()
    part.weight_hh_l0.data.zero_()
    after = part(points().requires_grad_())[0].detach()
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert (after[:, 1:] - before[:, 1:]).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_forecaster_that_runs_natively_keeps_its_lstm(dtype: torch.dtype) -> None:
    """Its gradients by the inputs are those of the fast LSTM."""
    spec = NetworkSpec(window=7, hidden=5)
    x, dates = points(dtype=dtype), torch.arange(len(points()))
    slopes = []
    for engine in ("auto", "torch"):
        network = build(VARIANTS["revin"], x.shape[-1], spec, 0, engine).to(dtype).eval()
        native = engine == "auto" and kernel(dtype) is not None
        assert network.runs_natively is native
        assert use_fast_lstm(network) == ([] if native else [network.lstm])
        given = x.clone().requires_grad_()
        slopes.append(torch.autograd.grad(network(given, dates).sum(), given)[0])
    limit = TOLERANCE[dtype]
    torch.testing.assert_close(*slopes, rtol=100 * limit, atol=30 * limit)
