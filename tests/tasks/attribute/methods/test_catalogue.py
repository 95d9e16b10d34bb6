from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from foldproof.tasks.attribute import ATTRIBUTIONS, Answer, Question, expected_gradients
from foldproof.tasks.attribute.methods.catalogue import DEFAULT, MAIN, check_methods
from foldproof.tasks.attribute.methods.checks import alone
from tests.tasks.attribute.toys import Recurrent, windows

DATES, STOCKS, LENGTH, FEATURES, DEAD = 4, 6, 5, 4, 3
CLOSE = {"rtol": 1e-10, "atol": 1e-14}
BY_FEATURE = [name for name, method in ATTRIBUTIONS.items() if method.columns != "window"]


def forecast(network: Recurrent, points: Tensor) -> Tensor:
    """All features but the last; not all additive."""
    return network(points[..., :DEAD])


def asked(forward: Callable[[Tensor], Tensor] | None = None) -> Question:
    """Four cross-sections of windows of four features; the last is dead."""
    network = Recurrent(DEAD).eval()
    function = forward or (lambda points: forecast(network, points))
    inputs = windows(DATES * STOCKS, LENGTH, FEATURES)
    noise = windows(DATES * STOCKS, 1, 1, seed=5).flatten()
    return Question(
        forward=lambda points, _: function(points),
        inputs=inputs,
        baseline=windows(DATES * STOCKS, LENGTH, FEATURES, seed=2),
        references=windows(30, LENGTH, FEATURES, seed=3),
        dates=np.repeat(np.arange(DATES), STOCKS),
        target=function(inputs).detach() + 0.1 * noise,
        unit=windows(DATES * STOCKS, LENGTH, FEATURES, seed=4).abs() + 0.1,
        groups=alone(FEATURES),
        seed=8,
    )


def reordered(question: Question, order: list[int]) -> Question:
    """The same question with its features in another order."""
    back = torch.tensor(order).argsort()
    cells = {
        name: getattr(question, name)[..., order]
        for name in ("inputs", "baseline", "references", "unit")
    }
    return replace(
        question, forward=lambda points, rows: question.forward(points[..., back], rows), **cells
    )


def test_methods_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ATTRIBUTIONS["mine"] = ATTRIBUTIONS["mean_partial"]  # type: ignore[index]


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_every_method_documents_itself_and_its_blind_spots(name: str) -> None:
    method = ATTRIBUTIONS[name]
    assert all(getattr(method, field.name) for field in fields(method))


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_answers_have_one_shape_and_aggregate_consistently(name: str) -> None:
    answer = ATTRIBUTIONS[name].run(asked())
    length, columns = answer.absolute.shape
    assert length in (1, LENGTH)
    assert columns == (1 if ATTRIBUTIONS[name].columns == "window" else FEATURES)
    assert answer.signed.shape == (length, columns)
    assert answer.net.shape == answer.gross.shape == (columns,)
    assert (answer.signed.abs() <= answer.absolute + 1e-15).all()
    assert (answer.net <= answer.gross + 1e-15).all()
    assert answer.gross.max() > 0
    if answer.values is not None:
        assert answer.values.shape == (DATES * STOCKS, length, columns)
        torch.testing.assert_close(answer.signed, answer.values.mean(0), **CLOSE)
        torch.testing.assert_close(answer.absolute, answer.values.abs().mean(0), **CLOSE)
        torch.testing.assert_close(answer.net, answer.values.sum(1).abs().mean(0), **CLOSE)


@pytest.mark.parametrize("name", BY_FEATURE)
def test_a_dead_feature_gets_nothing(name: str) -> None:
    answer = ATTRIBUTIONS[name].run(asked())
    nothing = 1e-14 * answer.gross.max()
    assert answer.absolute[:, DEAD].max() < nothing
    assert answer.net[DEAD] < nothing
    assert (answer.gross[:DEAD] > 1e6 * nothing).all()
    if answer.error is not None:
        assert answer.error[DEAD] < nothing


def test_a_dead_row_gets_nothing() -> None:
    network = Recurrent(DEAD).eval()
    answer = ATTRIBUTIONS["occlusion_by_lag"].run(asked(lambda x: forecast(network, x[:, 1:])))
    assert not answer.absolute[0].any()
    assert (answer.absolute[1:] > 0).all()


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_the_order_of_the_features_does_not_matter(name: str) -> None:
    order = [2, 0, 3, 1]
    plain = ATTRIBUTIONS[name].run(asked())
    moved = ATTRIBUTIONS[name].run(reordered(asked(), order))
    columns = [0] if ATTRIBUTIONS[name].columns == "window" else order
    for part in ("signed", "absolute", "net", "values", "error"):
        expected, found = getattr(plain, part), getattr(moved, part)
        if expected is not None:
            torch.testing.assert_close(found, expected[..., columns], **CLOSE)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_answers_scale_with_the_forecast(name: str) -> None:
    power = {"squared_sensitivity": 2, "permutation": 0}.get(name, 1)
    plain, question = ATTRIBUTIONS[name].run(asked()), asked()
    tripled = replace(question, forward=lambda points, rows: -3 * question.forward(points, rows))
    if name == "permutation":  # ranks turn round with the target
        tripled = replace(tripled, target=-3 * question.target)
    answer = ATTRIBUTIONS[name].run(tripled)
    torch.testing.assert_close(answer.signed, (-3) ** power * plain.signed, **CLOSE)
    torch.testing.assert_close(answer.gross, 3**power * plain.gross, **CLOSE)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_partials_scale_with_the_unit(name: str) -> None:
    power = {"mean_partial": 1, "mean_abs_partial": 1, "squared_sensitivity": 2}.get(name, 0)
    plain, question = ATTRIBUTIONS[name].run(asked()), asked()
    answer = ATTRIBUTIONS[name].run(replace(question, unit=3 * question.unit))
    torch.testing.assert_close(answer.absolute, 3**power * plain.absolute, **CLOSE)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_forward_gets_the_sample_number_of_every_point(name: str) -> None:
    """Each forecast is multiplied by a factor per date, which keeps ranks within dates."""
    question = asked()
    factor = torch.arange(1, DATES + 1).double().repeat_interleave(STOCKS)
    scaled = replace(
        question, forward=lambda points, rows: factor[rows] * question.forward(points, rows)
    )
    plain, answer = (ATTRIBUTIONS[name].run(one) for one in (question, scaled))
    if plain.values is not None:
        power = 2 if name == "squared_sensitivity" else 1
        expected = factor.view(-1, 1, 1) ** power * plain.values
        torch.testing.assert_close(answer.values, expected, **CLOSE)
    elif plain.partials is not None:
        assert answer.partials is not None
        expected = plain.partials.absolute * factor[::STOCKS].view(-1, 1, 1)
        torch.testing.assert_close(answer.partials.absolute, expected, **CLOSE)
    else:
        torch.testing.assert_close(answer.net, plain.net, **CLOSE)


def completeness(name: str, question: Question) -> tuple[Answer, Tensor, Tensor]:
    """The answer, its completeness error, and the expected sum."""
    answer, rows = ATTRIBUTIONS[name].run(question), torch.arange(len(question.inputs))
    with torch.no_grad():
        before = question.forward(question.baseline, rows)
        if ATTRIBUTIONS[name].adds_up_to == "f(x) - E f(x')":
            before = question.forward(question.references, rows).mean()
        change = question.forward(question.inputs, rows) - before
    assert answer.values is not None
    return answer, answer.values.sum((1, 2)) - change, change


SUMS = {
    kind: [name for name, method in ATTRIBUTIONS.items() if method.adds_up_to == kind]
    for kind in ("f(x) - f(x')", "f(x) - E f(x')", "nothing")
}


@pytest.mark.parametrize("name", SUMS["f(x) - f(x')"])
def test_values_add_up_to_the_change_from_the_baseline(name: str) -> None:
    _, gap, change = completeness(name, asked())
    assert gap.abs().max() < 1e-8 * change.abs().max()


@pytest.mark.parametrize("name", SUMS["f(x) - E f(x')"])
def test_values_add_up_in_expectation(name: str) -> None:
    question = asked()
    _, gap, change = completeness(name, question)
    assert name == "expected_gradients"
    found = expected_gradients(
        question.forward, question.inputs, question.references,
        generator=question.generator(), rows=question.rows,
    )  # fmt: skip
    widest = found.error.square().sum((1, 2)).sqrt()  # if errors of cells were independent
    assert (gap.abs() < 6 * widest).all()
    assert gap.abs().mean() < 0.1 * change.abs().mean()


@pytest.mark.parametrize(
    "name", [name for name in SUMS["nothing"] if ATTRIBUTIONS[name].asked_on == "samples"]
)
def test_methods_without_a_sum_do_not_add_up(name: str) -> None:
    _, gap, change = completeness(name, asked())
    assert gap.abs().mean() > 0.01 * change.abs().mean()


def test_every_kind_of_sum_has_a_method() -> None:
    assert [len(names) > 0 for names in SUMS.values()] == [True] * 3


@pytest.mark.parametrize("name", ["expected_gradients", "shapley", "permutation"])
def test_the_error_equals_the_scatter_of_repeated_draws(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foldproof.tasks.attribute.methods.shapley.EXACT_UP_TO", 1)
    steep = lambda x: 3 * x[:, -1].prod(1) + x.sum((1, 2)).square()  # noqa: E731
    question = asked(steep)
    answers = [ATTRIBUTIONS[name].run(replace(question, seed=seed)) for seed in range(40)]
    scatter = torch.stack([answer.net for answer in answers]).std(0)
    stated = torch.stack([answer.error for answer in answers]).square().mean(0).sqrt()
    assert (scatter > 0).all()
    # 40 draws give a standard deviation to 11 %; |.| reduces the scatter of uncertain signs
    assert ((scatter / stated > 0.6) & (scatter / stated < 1.5)).all()


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_the_same_seed_gives_the_same_answer_after_other_methods(name: str) -> None:
    question = asked()
    first = ATTRIBUTIONS[name].run(question)
    ATTRIBUTIONS["expected_gradients"].run(question)
    torch.testing.assert_close(ATTRIBUTIONS[name].run(question).net, first.net, rtol=0, atol=0)


def test_both_readings_of_the_mean_partial_are_computed_once() -> None:
    calls, question = [], asked()

    def counted(points: Tensor, rows: Tensor) -> Tensor:
        calls.append(len(points))
        return question.forward(points, rows)

    counting = replace(question, forward=counted)
    ATTRIBUTIONS["mean_partial"].run(counting)
    once = len(calls)
    ATTRIBUTIONS["mean_abs_partial"].run(counting)
    assert len(calls) == once > 0


def test_the_default_methods_pass_and_others_are_named() -> None:
    check_methods(DEFAULT)
    check_methods(tuple(ATTRIBUTIONS))
    with pytest.raises(ValueError, match=r"no attribution method 'shaply'; did you mean shapley"):
        check_methods((MAIN, "shaply"))
    with pytest.raises(ValueError, match="duplicate methods: mean_partial"):
        check_methods((MAIN, "mean_partial", "mean_partial"))
    with pytest.raises(
        ValueError, match=r"must contain 'integrated_gradients'.*they are mean_partial"
    ):
        check_methods(("mean_partial",))
    with pytest.raises(ValueError, match="they are none"):
        check_methods(())


def test_attributions_rank_by_net_and_slopes_by_gross() -> None:
    """A sum of slopes over lags is zero for a network that normalizes the window."""
    net = {name for name, one in ATTRIBUTIONS.items() if one.lags == "net"}
    assert net == {
        "integrated_gradients", "expected_gradients", "temporal_integrated_gradients",
        "gradient_times_input",
    }  # fmt: skip
