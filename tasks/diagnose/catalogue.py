"""The leak tests: what each measures, against which null, and what it cannot see."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FLOAT64 = 1e-9
"""Rounding of float64 results, in standard deviations (measured floor 2e-14)."""
FLOAT32 = 1e-5
"""Rounding of float32 results, in standard deviations (measured floor 2e-6)."""


@dataclass(frozen=True)
class Diagnostic:
    """An exact test for information from the future.

    Attributes:
        key: Its name in findings and reports.
        title: A few words for tables.
        number: Its place in the catalogue of leak tests, T1 to T24.
        statistic: What is measured, with its unit.
        null: What an honest pipeline gives.
        blind: What it cannot see.
        threshold: LEAK above this value; rounding stays below.
    """

    key: str
    title: str
    number: str
    statistic: str
    null: str
    blind: str
    threshold: float


DIAGNOSTICS: Mapping[str, Diagnostic] = MappingProxyType(
    {
        entry.key: entry
        for entry in (
            Diagnostic(
                "serve_invariance",
                "Serve invariance",
                "T1",
                "largest move of a past result when later rows change [sd]",
                "0: what is dated up to the cut does not depend on what is dated after it",
                "rows that were wrong when they were recorded: restatements, survivors, vendor "
                "adjustments; leaks that show at few dates, none of them a cut",
                FLOAT64,
            ),
            Diagnostic(
                "train_invariance",
                "Train invariance",
                "T2",
                "trained arrays that differ when everything after training changes [count]",
                "0: weights, buffers, statistics and chosen epoch are identical to the last bit",
                "what a person chose after looking at the test block",
                0.0,
            ),
            Diagnostic(
                "batch_composition",
                "Batch composition",
                "T3",
                "largest move of a forecast when later-dated batch mates change [sd]",
                "0: a forecast does not depend on who shares its batch and is dated later",
                "coupling outside the network: features, input normalizer, selection",
                FLOAT64,
            ),
            Diagnostic(
                "state_purity",
                "State purity",
                "T7",
                "buffers changed by scoring, and modules scored in training mode [count]",
                "0: scoring leaves the network as it was and runs in eval mode",
                "state kept outside the network",
                0.0,
            ),
            Diagnostic(
                "purge",
                "Purge",
                "T8",
                "earlier rows whose label reaches into a later block [rows]",
                "0: every label is known before the next block begins",
                "labels whose stated end is wrong",
                0.0,
            ),
            Diagnostic(
                "fold_order",
                "Fold order",
                "T9",
                "test dates not after all of the fold's earlier blocks, or in two folds [dates]",
                "0: train, then validation, then test; each date is forecast once",
                "how the fold plan itself was chosen",
                0.0,
            ),
        )
    }
)
"""Every exact test by its key."""
