"""Settings of the checks of a unit's attribution."""

from dataclasses import dataclass
from typing import Literal

from foldproof.models.spec import Spec, at_least


@dataclass(frozen=True)
class TrustSpec(Spec):
    """The sizes of the checks of one unit; the defaults cost less than its attribution."""

    __bounds__ = at_least(2, "samples", "orders", "steps") | at_least(
        1, "nodes", "coarse", "networks", "cells", "dates", "perturbations", "moves"
    )

    samples: int = 48
    """Test windows whose attributions are checked, spread evenly over dates."""
    lags: Literal["net", "gross"] = "net"
    """Importance of a feature: the size of the sum of its attributions over the lags, by which
    features are ranked, or the sum of their sizes. Lags that cancel each other count only in the
    second; behind a window normalizer most of them may cancel, in any network."""
    nodes: int = 20
    """Gauss-Legendre nodes of the attribution that is checked."""
    coarse: int = 4
    """Nodes where only a ranking or a change is compared: new weights, moved windows."""
    networks: int = 3
    """Networks with new weights in every layer."""
    cells: int = 96
    """Windows from which features are removed, in cross-sections of evenly spread test dates."""
    dates: int = 12
    """Test dates of these windows; more where a date has fewer than cells / dates."""
    orders: int = 19
    """Random orders of the features for comparison."""
    steps: int = 4
    """Numbers of removed features, at most."""
    perturbations: int = 8
    """Sets of features per sample in infidelity."""
    moves: int = 2
    """Moves per sample in sensitivity."""
