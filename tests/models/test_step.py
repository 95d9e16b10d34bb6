"""Training steps in C against autograd: losses, weights, bits, and who makes them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from foldproof.models import engine
from foldproof.models.adamw import AdamW
from foldproof.models.engine import fit
from foldproof.models.native.kernel import Kernel, Place
from foldproof.models.native.step import TrainingStep
from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.models.windows import Windows
from tests.models.kernels import BUILDS

LENGTH, SAMPLES = 6, 40
needs_kernel = pytest.mark.skipif(not BUILDS, reason="not built")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def settings(clip: float) -> TrainingSpec:
    return TrainingSpec(learning_rate=1e-2, weight_decay=0.1, clip_norm=clip)


def parts(hidden: int, layers: int, clip: float) -> tuple[nn.LSTM, nn.Linear, AdamW]:
    spec = NetworkSpec(window=LENGTH, hidden=hidden, layers=layers)
    network = build(VARIANTS["none"], 3, spec, 0)
    return network.lstm, network.head, AdamW(network.parameters(), settings(clip))


def trained_by(
    step: str, kernel: Kernel, hidden: int, layers: int, clip: float, masked: bool
) -> tuple[list[float], list[Tensor]]:
    """Losses and weights of five steps in C (``native``) or by autograd in float32 or float64."""
    rows, target = drawn(80, 3), drawn(SAMPLES, seed=1)
    starts = torch.randperm(70, generator=torch.Generator().manual_seed(2))[:SAMPLES]
    lstm, head, optimizer = parts(hidden, layers, clip)
    if step == "float64":
        lstm, head, rows, target = lstm.double(), head.double(), rows.double(), target.double()
        optimizer = AdamW([*lstm.parameters(), *head.parameters()], settings(clip))
    losses = []
    train = TrainingStep(kernel, lstm, head, optimizer) if step == "native" else None
    for n in range(5):
        mask = (drawn(SAMPLES, hidden, seed=3 + n) > 0) * 2.0 if masked else None
        if train:
            losses.append(train(rows, Place(starts, LENGTH), target, mask))
            continue
        optimizer.zero_grad()
        last = lstm(rows.unfold(0, LENGTH, 1).transpose(1, 2)[starts])[0][:, -1]
        forecast = head(last if mask is None else last * mask).squeeze(-1)
        loss = (forecast - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, [one.detach().double() for one in optimizer.parameters]


@pytest.mark.parametrize(("hidden", "layers", "clip", "masked"), [
    (32, 1, 1e6, False), (7, 2, 1e-2, True), (21, 1, 0.5, True),
])  # fmt: skip
def test_steps_are_those_of_autograd(
    kernel: Kernel, hidden: int, layers: int, clip: float, masked: bool
) -> None:
    case = kernel, hidden, layers, clip, masked
    (exact, best), (_, theirs), (found, ours), (again, repeated) = (
        trained_by(step, *case) for step in ("float64", "float32", "native", "native")
    )
    assert found == again
    assert all(torch.equal(one, other) for one, other in zip(ours, repeated, strict=True))
    assert found == pytest.approx(exact, rel=1e-6)
    assert masked or found[-1] < found[0]
    for one, other, right in zip(ours, theirs, best, strict=True):
        assert (one - right).abs().max() <= 3 * max(float((other - right).abs().max()), 1e-6)


def test_a_target_that_is_not_finite_reaches_loss_and_weights(kernel: Kernel) -> None:
    lstm, head, optimizer = parts(5, 1, 1.0)
    target = drawn(2)
    target[1] = torch.inf
    loss = TrainingStep(kernel, lstm, head, optimizer)(
        drawn(9, 3), Place(torch.tensor([0, 1]), LENGTH), target, None
    )
    assert loss == torch.inf
    assert all(one.isnan().all() for one in optimizer.parameters)


def fitted(
    variant: str, monkeypatch: pytest.MonkeyPatch, training: TrainingSpec, watched: bool = False
) -> tuple[list[engine.Epoch], int]:
    """Curves of a training, and the number of steps made in C."""
    made = []
    step = TrainingStep.__call__

    def counted(self: TrainingStep, *given: object) -> float:
        made.append(1)
        return step(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingStep, "__call__", counted)
    windows = Windows.of(drawn(60, 4, 3), drawn(60, 4, seed=1), LENGTH)
    days = torch.arange(LENGTH, 60)
    samples = (torch.arange(4).unsqueeze(1) * 60 + days).flatten()
    spec = NetworkSpec(window=LENGTH, hidden=9, dropout=0.3)
    network = build(VARIANTS[variant], 3, spec, 0, training.engine)
    if watched:
        network.head.register_forward_hook(lambda *_: None)
    return fit(network, windows, samples[::2], samples[1::2], training, 0).curves, len(made)


SPEC = TrainingSpec(epochs=3, batch_size=40, patience=3, device="cpu")
STEPS = 9


@needs_kernel
@pytest.mark.parametrize(
    ("variant", "steps"),
    [("none", STEPS), ("instance_norm", STEPS), ("layer_norm", 0), ("revin", 0)],
)
def test_both_engines_train_alike_with_the_same_dropout(
    variant: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, made = fitted(variant, monkeypatch, SPEC)
    expected, none = fitted(variant, monkeypatch, replace(SPEC, engine="torch"))
    assert (made, none) == (steps, 0)
    for one, other in zip(found, expected, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-5)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-5)


@needs_kernel
@pytest.mark.parametrize(
    "case",
    [{"loss": "rank_correlation", "batches": "date"}, {"samples": "chunks", "chunk": 12}, {}],
)
def test_other_losses_chunks_and_watched_networks_train_by_autograd(
    case: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = not case
    assert fitted("none", monkeypatch, replace(SPEC, **case), watched)[1] == 0  # type: ignore


@needs_kernel
@pytest.mark.parametrize(
    ("x", "place"),
    [
        (drawn(SAMPLES, LENGTH, 120), None),
        (drawn(SAMPLES, LENGTH, 3).double(), None),
        (drawn(SAMPLES + 1, LENGTH, 3), None),
        (drawn(SAMPLES, 3), None),
        (drawn(SAMPLES, 0, 3), None),
        (drawn(80, 4), Place(torch.arange(SAMPLES), LENGTH)),
    ],
    ids=["features", "float64", "samples", "dimensions", "empty", "rows"],
)
def test_an_input_of_another_shape_or_type_is_refused(
    kernel: Kernel, x: Tensor, place: Place | None
) -> None:
    lstm, head, optimizer = parts(8, 1, 1.0)
    before = [one.clone() for one in optimizer.parameters]
    step = TrainingStep(kernel, lstm, head, optimizer)
    with pytest.raises(ValueError, match="the window normalizer must keep type and shape"):
        step(x, place, drawn(SAMPLES), None)
    assert all(torch.equal(a, b) for a, b in zip(before, optimizer.parameters, strict=True))


@needs_kernel
def test_starts_of_any_type_and_stride_are_read_right(kernel: Kernel) -> None:
    found = []
    for starts in (torch.arange(SAMPLES), torch.arange(SAMPLES).int(), torch.arange(99)[:SAMPLES]):
        lstm, head, optimizer = parts(8, 1, 1.0)
        step = TrainingStep(kernel, lstm, head, optimizer)
        found.append(step(drawn(80, 3), Place(starts, LENGTH), drawn(SAMPLES, seed=1), None))
    lstm, head, optimizer = parts(8, 1, 1.0)
    strided = torch.arange(2 * SAMPLES).repeat_interleave(2)[::2][:SAMPLES]
    step = TrainingStep(kernel, lstm, head, optimizer)
    found.append(step(drawn(80, 3), Place(strided, LENGTH), drawn(SAMPLES, seed=1), None))
    assert len({*found}) == 1
