"""Returns by age, and variants that stop at the features."""

import pandas as pd
import pytest

from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.report.attribution.answer import attribution_facts
from foldproof.tasks.report.attribution.by_return import COLOURS, age_shares, by_return_figure
from foldproof.tasks.report.attribution.shares import undifferentiable
from tests.tasks.report.example import with_newest

WHO = (0, 0, "2020-01-01", "AAA")
TABLE = pd.DataFrame(
    [
        ("none", *WHO, 0, "own returns", 0.1, 0.4), ("none", *WHO, 4, "own returns", 0.1, 0.1),
        ("none", *WHO, 21, "own returns", -0.1, 0.2), ("none", *WHO, 0, "other returns", 0.0, 0.3),
    ],
    columns=list(COLUMNS["by_return"]),
)  # fmt: skip
PATHS = pd.DataFrame(
    [
        ("none", *WHO, 0.1, 1e-2, 160, False, ""),
        ("cs_rank", *WHO, float("nan"), float("nan"), 0, False, "ranks have no derivative"),
    ],
    columns=list(COLUMNS["to_prices"]),
)


@pytest.fixture
def taken(results):
    return with_newest(results, by_return=TABLE, to_prices=PATHS)


def test_shares_by_age_add_up():
    shares = age_shares(TABLE)
    assert shares.loc["none"].to_dict() == pytest.approx(
        dict(zip(COLOURS, (0.5, 0.0, 0.2, 0.0, 0.3), strict=True))
    )


def test_a_variant_without_derivatives_is_marked(taken, results):
    (axis,) = by_return_figure(taken).axes
    assert [text.get_text() for text in axis.texts] == [
        "attributed to features only: ranks have no derivative"
    ]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert sorted(names) == ["cs_rank", "no normalization  (does not add up)"]
    fact = {"Attributed to features only": "cs_rank (ranks have no derivative)"}
    assert undifferentiable(taken) == fact
    assert fact.items() <= attribution_facts(taken).items()
    assert undifferentiable(with_newest(results, to_prices=PATHS.head(0))) == {}
