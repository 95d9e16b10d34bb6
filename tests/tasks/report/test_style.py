import matplotlib as mpl
import numpy as np
import pytest

from foldproof.tasks.report.style import INK, PAPER, canvas, readable_on, render, spread


def test_spread_leaves_labels_that_do_not_collide() -> None:
    assert spread([3.0, 1.0, 2.0], gap=0.5) == pytest.approx([3.0, 1.0, 2.0], abs=1e-12)


def test_spread_pools_a_collision_around_its_mean() -> None:
    assert spread([1.0, 1.0], gap=0.4) == pytest.approx([0.8, 1.2], abs=1e-12)


def test_spread_keeps_order_and_gap() -> None:
    places = np.random.default_rng(0).normal(size=30)
    moved = np.array(spread(places.tolist(), gap=0.2))
    order = np.argsort(places)
    assert np.all(np.diff(moved[order]) >= 0.2 - 1e-12)
    assert moved.mean() == pytest.approx(places.mean(), abs=1e-12)


def test_ink_reads_on_light_and_paper_on_dark() -> None:
    assert readable_on(1, 1, 1) == INK
    assert readable_on(0, 0, 0) == PAPER


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict.copy(mpl.rcParams)
    assert render(canvas(1.0)[0]).startswith(b"\x89PNG")
    assert dict.copy(mpl.rcParams) == before
