"""Published figures of the white-box sets: mean and standard deviation over five folds.

Computed from experiments/arma/results.csv and experiments/hmm/results.csv in
github.com/josephenguehard/time_interpret at commit ebef736, the code of Enguehard 2023 (ICML,
"Learning Perturbations to Explain Time Series Predictions"), to the digits given there. A fold of
ARMA is a new draw; one of HMM is another classifier on the same test sequences.

.. warning::

    The published code sums information and entropy over all relevant cells. With its default sizes
    HMM has 40,000 of them, one for each of 200 steps of 200 sequences; but an entropy of 146 bits
    corresponds to 200 cells of 0.73 bits. Ten sequences of twenty steps give the published scale in
    every figure, so our figures are printed for such blocks too. That reading is our guess.
"""

from collections.abc import Mapping
from types import MappingProxyType

FIGURES = ("aup", "aur", "information", "entropy", "auroc", "auprc")
"""The columns below; the last two were not published for ARMA."""
Pairs = tuple[tuple[float, float], ...]
PUBLISHED: Mapping[str, Mapping[str, Pairs]] = MappingProxyType({
    "rare-feature": {
        "integrated gradients": ((1.000, 0.000), (0.1345, 0.0043), (463.8, 15.0), (494.0, 8.1)),
        "occlusion": ((1.000, 0.000), (0.1336, 0.0042), (461.7, 15.0), (489.6, 8.1)),
        "Shapley value sampling": ((1.000, 0.000), (0.1336, 0.0042), (461.7, 15.0), (489.6, 8.1)),
        "feature permutation": ((1.000, 0.000), (0.1627, 0.0066), (541.3, 22.7), (579.2, 11.8)),
        "Dynamask": ((0.957, 0.052), (0.6557, 0.0106), (6417, 196), (219.2, 9.1)),
        "extremal mask": ((0.992, 0.001), (0.7556, 0.0110), (12630, 224), (45.7, 2.5)),
    },
    "rare-time": {
        "integrated gradients": ((1.000, 0.000), (0.1252, 0.0045), (442.7, 16.0), (468.5, 11.3)),
        "occlusion": ((1.000, 0.000), (0.1244, 0.0046), (441.2, 16.1), (464.6, 11.3)),
        "Shapley value sampling": ((1.000, 0.000), (0.1244, 0.0046), (441.2, 16.1), (464.6, 11.3)),
        "feature permutation": ((1.000, 0.000), (0.1475, 0.0139), (497.8, 45.3), (543.3, 28.4)),
        "Dynamask": ((0.903, 0.012), (0.6524, 0.0089), (3796, 227), (480.1, 17.4)),
        "extremal mask": ((0.993, 0.001), (0.8195, 0.0063), (15118, 175), (12.5, 2.3)),
    },
    "hmm": {
        "integrated gradients": (
            (0.918, 0.019), (0.4538, 0.0114), (359.3, 11.6), (145.6, 0.9),
            (0.936, 0.020), (0.909, 0.025),
        ),
        "gradient SHAP": (
            (0.849, 0.030), (0.4142, 0.0150), (335.2, 14.8), (137.5, 2.4),
            (0.852, 0.027), (0.798, 0.037),
        ),
        "DeepLIFT": (
            (0.920, 0.019), (0.4541, 0.0115), (358.7, 9.6), (145.2, 0.9),
            (0.938, 0.020), (0.912, 0.025),
        ),
        "occlusion": (
            (0.866, 0.032), (0.3927, 0.0061), (321.9, 14.6), (136.6, 1.9),
            (0.870, 0.021), (0.817, 0.035),
        ),
        "Dynamask": (
            (0.711, 0.020), (0.7629, 0.0262), (954.1, 50.0), (45.4, 0.8),
            (0.876, 0.010), (0.695, 0.008),
        ),
        "extremal mask": (
            (0.885, 0.030), (0.7810, 0.0132), (1536, 79), (34.1, 3.7),
            (0.910, 0.013), (0.883, 0.018),
        ),
    },
})  # fmt: skip
"""Set -> method -> figures; higher is better, except for entropy."""
