"""What is certified without names: every variant, control and kind of target, and combinations."""

from foldproof.models.normalizers import CONTROLS, VARIANTS
from foldproof.tasks.data.features.target import KINDS

COMBINATIONS = (
    "cs_rank + layer_norm @ date_block",
    "rolling_zscore + batch_norm_hidden -> cs_rank",
    "zscore + st_norm",
    "neutral_zscore ~ small tied + rms_norm",
    "instance_norm(noise) & robust_zscore(price) & cs_rank(*) + weight_norm",
)
"""Combinations of every kind, on the features of the certification panel."""
TARGETS = tuple(f"zscore -> {kind}" for kind in KINDS)
EVERYTHING = (*VARIANTS, *CONTROLS, *TARGETS, *COMBINATIONS)
"""In the order of the table."""
