"""Replay two years of nights on the bundled panel with the flows that run at night.

``python -m tests.benchmarks.replay [--first 2021-01-04] [--last 2022-12-28]`` retrains on the first
night and every fifth after it, scores every night and monitors every fifth. Four events are
planted: a retraining with a look-ahead feature, a night without new rows, a rollback, and the last
night run twice. The work folder ``.foldproof/replay`` is emptied first; it holds the table of
nights and the figure of realised rank IC. The exit status is 1 if a night is lost, a version is
registered twice, or an event is handled wrongly.
"""

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.flows.commands.shell import prepare

HOME = Path(".foldproof/replay")
SETTINGS = (
    "data.start=2017-06-01",
    "variants=[cs_rank]",
    "statistics.reference=cs_rank",
    "operation.gate.folds=1",
    "operation.gate.refresh_after=126",
    "operation.gate.renewal_margin=0.15",
    "compute.workers=1",
)
"""Overrides of the preset nightly: a short history and one challenger on one fold, for speed; a
margin that 20 stocks can show in half a year, so that there are renewals."""
EVERY = 5
"""Nights from one retraining to the next."""
LEAK, STALE, ROLLBACK = 0.3, 0.5, 0.8
"""When the events happen, as shares of the nights; the rollback needs a second champion."""
PEEKING = "tests.benchmarks.replay:peeking"
MISSING_DAYS = 8
"""Business days of rows that are missing on the stale night."""


def peeking(rows: pd.DataFrame) -> pd.DataFrame:
    """The built-in features plus tomorrow's return: a planted leak."""
    from foldproof.tasks.data.features.features import price_features

    tomorrow = rows.groupby("symbol")["price"].pct_change().groupby(rows["symbol"]).shift(-1)
    return price_features(rows).assign(tomorrow=tomorrow)


@dataclass
class Log:
    """A log with one row per call of a flow."""

    rows: list[dict[str, object]] = field(default_factory=list)

    def note(self, night: object, what: str, **more: object) -> None:
        """Add a row and write the table."""
        self.rows.append({"night": str(night), "what": what, **more})
        pd.DataFrame(self.rows).to_csv("nights.csv", index=False)

    def outcomes(self, what: str) -> list[str]:
        """The outcomes of one kind of call."""
        return [str(row["outcome"]) for row in self.rows if row["what"] == what]


class Nights:
    """Runs the flows night by night."""

    def __init__(self, first: str, last: str) -> None:
        """Trading nights from ``first`` to ``last``."""
        from foldproof.conf.load import load
        from foldproof.flows.processes.workers import task_runner
        from foldproof.tasks.data import load_raw

        self.base = load("nightly", SETTINGS)
        dates = np.unique(load_raw(self.base.data)["date"].to_numpy())
        inside = (dates >= np.datetime64(first)) & (dates <= np.datetime64(last))
        self.dates = [day.astype("datetime64[D]").item() for day in dates[inside]]
        self.runner, self.log = task_runner(1), Log()

    def on(self, night, **data):
        """The experiment of a night, with changed settings of its data."""
        operation = replace(self.base.operation, as_of=night)
        changed = replace(self.base.data, **data)
        return self.base.model_copy(update={"operation": operation, "data": changed})

    def retrain(self, night, what="retrain", **data):
        """Retrain and log the outcome."""
        from foldproof.flows.retrain import retrain

        start = time.process_time()
        settled = retrain.with_options(task_runner=self.runner)(self.on(night, **data))
        self.log.note(
            night, what, outcome=settled.outcome, reason=settled.reason,
            version=settled.version, champion=settled.champion, seconds=time.process_time() - start,
            sentence=settled.sentence,
        )  # fmt: skip
        return settled

    def score(self, night, what="score", **data):
        """Score and log the result."""
        from foldproof.flows.score import score

        start = time.process_time()
        scoring = score(self.on(night, **data))
        self.log.note(
            night, what, outcome=str(scoring.result), version=scoring.version,
            seconds=time.process_time() - start,
        )  # fmt: skip
        return scoring

    def monitor(self, night):
        """Monitor and log the seconds."""
        from foldproof.flows.monitor import monitor

        start = time.process_time()
        monitor(self.on(night))
        self.log.note(night, "monitor", outcome="done", seconds=time.process_time() - start)

    def roll_back(self, night):
        """Move the champion alias back to the previous version."""
        from foldproof.tasks.track.model.registry import roll_back
        from foldproof.tasks.track.store import open_store

        move = roll_back(open_store(self.base.tracking), self.base.operation.model, "")
        self.log.note(
            night, "rollback", outcome=f"{move.before} to {move.after}", champion=move.after
        )

    def run(self) -> None:
        """Run all nights."""
        count, waiting = len(self.dates), True
        leak, stale = (max(1, int(share * count) // EVERY) * EVERY for share in (LEAK, STALE))
        for place, night in enumerate(self.dates):
            if place % EVERY == 0 and place != leak:
                self.retrain(night)
            if place == leak:
                self.retrain(
                    night, "retrain with a leak", features="tests.benchmarks.replay:peeking"
                )
            if place == stale:
                behind = np.busday_offset(night, -MISSING_DAYS, roll="backward").item()
                self.score(night, "score without new rows", end=behind)
            scoring = self.score(night)
            if place % EVERY == 0:
                self.monitor(night)
            if waiting and place >= ROLLBACK * count and place % EVERY == 2:
                self.roll_back(night)
                waiting = False
            if scoring.refused:
                print(f"{night}: refused", flush=True)
        self.retrain(self.dates[-1], "retrain again")
        self.retrain(self.dates[-1], "retrain again")
        self.score(self.dates[-1], "score again")


def faults(nights: Nights) -> Iterator[str]:
    """Descriptions of everything that went wrong."""
    from foldproof.tasks.operate.nights.scoring import read_scores
    from foldproof.tasks.track.store import open_store

    log, model = nights.log, nights.base.operation.model
    client = open_store(nights.base.tracking).client
    scored = set(read_scores(Path(".foldproof/scores"), model)["date"].astype(str).str[:10])
    lost = [str(night) for night in nights.dates if str(night) not in scored]
    if lost:
        yield f"{len(lost)} nights have no scores: {', '.join(lost[:5])}"
    versions = client.search_model_versions(f"name = '{model}'", max_results=1000)
    doubled = [key for key, n in Counter(one.tags["unit"] for one in versions).items() if n > 1]
    if doubled:
        yield f"registered twice: {', '.join(doubled)}"
    reasons = {str(row.get("reason")) for row in log.rows if row["what"] == "retrain with a leak"}
    if reasons != {"leak"}:
        yield f"the retraining with a leak was not refused as a leak: {reasons}"
    if log.outcomes("score without new rows") != ["refuse"]:
        yield "the night without new rows was not refused"
    usual = Counter(log.outcomes("retrain"))
    if usual["promoted"] + usual["renewed"] < 1 or usual["kept"] < 1:
        yield f"no new or renewed champion, or no refusal: {dict(usual)}"
    if len(log.outcomes("rollback")) != 1:
        yield "no rollback"
    again = [row["version"] for row in log.rows if row["what"] == "retrain again"]
    if len(set(again)) != 1:
        yield f"the same retraining twice gave versions {again}"


def main() -> int:
    """Replay the nights and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", default="2021-01-04")
    parser.add_argument("--last", default="2022-12-28")
    options = parser.parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    os.chdir(HOME)
    prepare(verbose=False)
    from foldproof.flows.processes.api import one_api

    with one_api() as api, api:
        nights = Nights(options.first, options.last)
        nights.run()
    table = pd.DataFrame(nights.log.rows)
    print(
        table.groupby(["what", "outcome"]).agg(calls=("night", "size"), seconds=("seconds", "mean"))
    )
    found = list(faults(nights))
    print("\n".join(found) or f"{len(nights.dates)} nights, none lost, no version registered twice")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
