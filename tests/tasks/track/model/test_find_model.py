"""The model that ``explain`` takes by default."""

from dataclasses import replace

import pytest

from foldproof.tasks.track.model.find_model import newest_best
from foldproof.tasks.track.results.comparison import log_comparison
from foldproof.tasks.track.store import Store, TrackingError


def test_a_newer_comparison_in_which_every_variant_leaks_is_passed_over(
    store: Store, lean, report
) -> None:
    older = log_comparison(store, lean, report)
    newer = log_comparison(store, replace(lean, comparison_id="newer"), report)
    best = lean.candidates[0]
    assert newest_best(store).info.run_id == newer.variant_run_ids[best]
    store.client.set_tag(newer.summary_run_id, "best", "")
    assert newest_best(store).info.run_id == older.variant_run_ids[best]
    store.client.set_tag(older.summary_run_id, "best", "")
    with pytest.raises(TrackingError, match="no comparison has a variant without a leak yet"):
        newest_best(store)
