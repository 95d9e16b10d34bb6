from dataclasses import replace

import numpy as np
import pytest
import torch

from foldproof.tasks.attribute import ATTRIBUTIONS, Question
from foldproof.tasks.attribute.methods.question import answer_of
from tests.tasks.attribute.toys import windows


def asked() -> Question:
    return Question(
        forward=lambda points, rows: points.sum((1, 2)) + rows,
        inputs=windows(),
        baseline=windows(seed=2),
        references=windows(4, seed=3),
        dates=np.arange(7) // 2,
        target=torch.full((7,), torch.nan).double(),
        unit=torch.ones(7, 5, 3).double(),
        groups=((0, 2), (1,)),
    )


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("occlusion", {"inputs": windows()[:, 0]}, r"windows \(B, T, F\)"),
        ("integrated_gradients", {"baseline": windows() * torch.inf}, "baseline must be finite"),
        ("expected_gradients", {"references": windows(4, length=3)}, r"references .* \(R, 5, 3\)"),
        ("mean_partial", {"unit": torch.ones(7, 5, 4).double()}, r"scale of shape \(7, 5, 4\)"),
        ("permutation", {"dates": np.arange(6)}, r"dates must .* each of the 7 .*\(6,\)"),
        ("permutation", {"target": torch.zeros(7, 1)}, r"target must have one entry .*\(7, 1\)"),
        ("shapley", {"groups": ((0,), (0,))}, r"in several groups: \[0\]"),
        ("occlusion_by_group", {"groups": ((0,), (0,))}, r"in several groups: \[0\]"),
        ("integrated_gradients", {"nodes": 0}, "nodes must be at least 1"),
    ],
)
def test_mismatched_arguments_are_named(method: str, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ATTRIBUTIONS[method].run(replace(asked(), **change))


def test_a_question_needs_a_sample() -> None:
    empty = {name: windows(0) for name in ("inputs", "baseline", "unit")}
    with pytest.raises(ValueError, match="no sample to explain"):
        replace(asked(), **empty, dates=np.arange(0), target=torch.zeros(0))


def test_every_generator_starts_in_the_same_state() -> None:
    question = asked()
    first, again = (torch.rand(3, generator=question.generator()) for _ in range(2))
    other = torch.rand(3, generator=replace(question, seed=1).generator())
    assert first.tolist() == again.tolist() != other.tolist()


def test_net_gross_and_signed_by_hand() -> None:
    """Two samples, two lags, two columns: a difference of lags, and an offset between samples."""
    values = torch.tensor([[[3.0, 1.0], [-3.0, 1.0]], [[1.0, -1.0], [-2.0, -1.0]]])
    answer = answer_of(values, sum_error=torch.tensor([[3.0, 0.0], [4.0, 1.0]]))
    assert answer.gross.tolist() == [4.5, 2.0]
    assert answer.net.tolist() == [0.5, 2.0]
    assert answer.signed.tolist() == [[2.0, 0.0], [-2.5, 0.0]]
    assert answer.absolute.tolist() == [[2.0, 1.0], [2.5, 1.0]]
    assert answer.error is not None
    assert answer.error.tolist() == [2.5, 0.5]  # sqrt(9 + 16) / 2, sqrt(0 + 1) / 2
