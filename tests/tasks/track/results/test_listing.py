"""Earlier comparisons and their pages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foldproof.tasks.track.entries import tags
from foldproof.tasks.track.results.comparison import log_comparison
from foldproof.tasks.track.results.comparison_entries import variant_params
from foldproof.tasks.track.results.listing import comparisons, earlier_trials, page_file
from foldproof.tasks.track.store import Links, Store, TrackingError


@pytest.fixture
def logged(store: Store, lean, report) -> list[Links]:
    """Two comparisons of one store, the older one first."""
    second = replace(lean, comparison_id="second", title="The second")
    return [log_comparison(store, one, report) for one in (lean, second)]


def test_comparisons_are_listed_newest_first(store: Store, logged: list[Links], lean) -> None:
    newest, oldest = comparisons(store, 10)
    assert [newest.title, oldest.title] == ["The second", lean.title]
    assert [newest.run_id, oldest.run_id] == [one.summary_run_id for one in reversed(logged)]
    assert newest.variants == 3
    assert newest.best == lean.candidates[0]
    assert newest.rank_ic == pytest.approx(lean.ranking.loc[newest.best, "rank_ic"])
    assert newest.verdict == lean.verdict(newest.best)
    assert timedelta(0) <= datetime.now(UTC) - newest.finished < timedelta(hours=1)
    assert comparisons(store, 1) == [newest]


def test_trials_of_other_comparisons_count_once_and_controls_do_not(
    store: Store, logged: list[Links], lean
) -> None:
    """Both comparisons tried the same two candidates; a third one trains them for longer."""

    def trials(config) -> int:
        asking = replace(lean, comparison_id="third", config=config)
        own = [variant_params(asking, name) for name in asking.candidates]
        return earlier_trials(store, asking.comparison_id, own)

    longer = {**lean.config, "training": {**lean.config.get("training", {}), "epochs": 99}}
    assert len(lean.candidates) == 2
    assert trials(longer) == 2
    assert trials({**lean.config, "name": "another title"}) == 0


def test_a_comparison_without_a_candidate_has_no_best(store: Store, logged: list[Links]) -> None:
    store.client.set_tag(logged[1].summary_run_id, "best", "")
    newest = comparisons(store, 1)[0]
    assert (newest.best, newest.rank_ic, newest.verdict) == ("", None, "")


def test_the_verdict_of_a_combined_variant_is_found(store: Store, logged: list[Links]) -> None:
    """MLflow's keys hold no @ and no >."""
    run, best = logged[1].summary_run_id, "zscore @ date_block -> cs_rank"
    (tag,) = tags({f"verdict.{best}": "UNKNOWN"})
    store.client.set_tag(run, "best", best)
    store.client.set_tag(run, tag.key, tag.value)
    newest = comparisons(store, 1)[0]
    assert (newest.best, newest.verdict) == (best, "UNKNOWN")


def test_an_unfinished_comparison_is_not_listed(store: Store, logged: list[Links]) -> None:
    store.client.set_terminated(logged[1].summary_run_id, "FAILED")
    assert [one.run_id for one in comparisons(store, 10)] == [logged[0].summary_run_id]


def test_a_page_is_found_by_run_and_as_the_latest(
    store: Store, logged: list[Links], report, tmp_path: Path
) -> None:
    first, second = (one.summary_run_id for one in logged)
    assert page_file(store, first, tmp_path) == Path(logged[0].file)
    assert page_file(store, first[:8], tmp_path) == Path(logged[0].file)
    assert page_file(store, "latest", tmp_path) == Path(logged[1].file)
    assert second in str(page_file(store, "latest", tmp_path))
    assert page_file(store, first, tmp_path).read_text() == report.page


def test_a_run_without_a_page_names_those_that_have_one(
    store: Store, logged: list[Links], tmp_path: Path
) -> None:
    variant = logged[0].variant_run_ids["none"]
    newest = f"{logged[1].summary_run_id[:8]} \\(The second\\)"
    with pytest.raises(TrackingError, match=f"{variant} \\(none\\) has no page.* Newest: {newest}"):
        page_file(store, variant, tmp_path)
    with pytest.raises(TrackingError, match=f"0 runs begin with 'nothing'.* Newest: {newest}"):
        page_file(store, "nothing", tmp_path)


def test_an_empty_store_has_no_latest_page(store: Store, tmp_path: Path) -> None:
    assert comparisons(store, 10) == []
    with pytest.raises(TrackingError, match="there is no comparison yet: run foldproof compare"):
        page_file(store, "latest", tmp_path)
