"""A variant trained on the certification panel, and the batch of its test block to probe."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from foldproof.models.network import Forecaster
from foldproof.models.normalizers import Variant, resolve, styles_of
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.certify.panel import (
    certification_fold,
    certification_panel,
    with_positive_features,
    with_styles,
)
from foldproof.tasks.diagnose.certify.target import with_target
from foldproof.tasks.diagnose.lookahead.trained_unit import Batch, batch_coupling, sampled, scores
from foldproof.tasks.diagnose.network.coupling import Coupling
from foldproof.tasks.train import TrainedUnit, Unit, fit_unit, forecasts_of, network_of

NETWORK = NetworkSpec(window=5, hidden=6)
TRAINING = TrainingSpec(epochs=2, batch_size=128, learning_rate=1e-2, device="cpu")
SAMPLED_DATES, SAMPLED_SYMBOLS = 6, 9
"""Size of the batch of the test block whose samples are perturbed."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A variant to certify.

    Attributes:
        variant: Its claims.
        panel: The panel that it was trained on.
        trained: The trained unit with its forecasts of the test block.
        fitted: The network as training left it, before it was built again from its weights.
        seed: Seed of the training and of all perturbations.
    """

    variant: Variant
    panel: Panel
    trained: TrainedUnit
    fitted: Forecaster
    seed: int

    @cached_property
    def network(self) -> Forecaster:
        """The network, built from its weights, in eval mode."""
        return network_of(self.trained, len(self.panel.features))

    @cached_property
    def batch(self) -> Batch:
        """Samples of a few test dates, and their windows."""
        unit, statistics = self.trained.unit, self.trained.statistics
        return sampled(unit, self.panel, statistics, SAMPLED_DATES, SAMPLED_SYMBOLS)

    @cached_property
    def couplings(self) -> dict[bool, tuple[Coupling, float]]:
        """Coupling within the batch and its rounding, by whether the network is in training mode.

        The network starts at the normalized windows.
        """
        return {
            training: batch_coupling(self.network, self.batch, training, self.seed)
            for training in (False, True)
        }

    @cached_property
    def forecasts(self) -> pd.Series:
        """Forecasts of the test block, indexed (date, symbol)."""
        return scores(self.trained.forecasts)


def panel_for(variant: Variant, panel: Panel) -> Panel:
    """The panel with the kind of target that the variant names, and with features that suit it."""
    panel = with_target(panel, variant.target)
    if variant.positive:
        panel = with_positive_features(panel)
    return with_styles(panel, styles_of(variant))


def unit_of(name: str, panel: Panel, seed: int) -> Unit:
    """The unit that certifies the variant called ``name``."""
    fold = certification_fold(panel)
    return Unit(name, fold, seed, NETWORK, TRAINING, panel.fingerprint, "certification")


def subject_of(name: str, seed: int = 0, panel: Panel | None = None) -> Subject:
    """Train the variant called ``name``, which :func:`~foldproof.models.normalizers.resolve` knows.

    Raises:
        ValueError: There is no such variant.
        TrainingError: It cannot be trained.
    """
    variant = resolve(name)
    panel = panel_for(variant, panel or certification_panel())
    trained, fitted = fit_unit(unit_of(name, panel, seed), panel)
    trained = replace(trained, forecasts=forecasts_of(trained, panel))
    return Subject(variant, panel, trained, fitted, seed)
