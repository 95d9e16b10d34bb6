"""The catalogue: every normalization that can be compared. A new one is one entry here."""

from collections.abc import Mapping
from types import MappingProxyType

from foldproof.models.imported import imported
from foldproof.models.normalizers.cross_section import CrossSectionRank, CrossSectionZScore
from foldproof.models.normalizers.hidden import (
    CausalBatchNorm,
    DateBatchNorm,
    HiddenBatchNorm,
    HiddenLayerNorm,
)
from foldproof.models.normalizers.history import EwmZScore, RollingZScore
from foldproof.models.normalizers.pooled import FullSampleZScore, RobustZScore, ZScore
from foldproof.models.normalizers.variant import Variant
from foldproof.models.normalizers.window import FeatureBatchNorm, InstanceNorm, RevIN
from foldproof.models.spec import OWN, unknown

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "none": Variant(
            title="No normalization",
            formula="x",
            source="control without treatment",
        ),
        "zscore": Variant(
            title="Train z-score",
            formula="(x - mean_train) / sd_train",
            source="qlib ZScoreNorm",
            input=ZScore(),
        ),
        "robust_zscore": Variant(
            title="Train robust z-score",
            formula="clip((x - median_train) / (1.4826 MAD_train), -3, 3)",
            source="qlib RobustZScoreNorm",
            input=RobustZScore(),
        ),
        "rolling_zscore": Variant(
            title="Rolling z-score",
            formula="(x - mean) / sd over the stock's last 252 days, today included",
            source="practice",
            input=RollingZScore(),
        ),
        "ewm_zscore": Variant(
            title="Exponential z-score",
            formula="(x - m) / sqrt(v), exponentially weighted to yesterday, half-life 63 days",
            source="RiskMetrics (J.P. Morgan 1996), with a mean",
            input=EwmZScore(),
        ),
        "cs_zscore": Variant(
            title="Cross-sectional z-score",
            formula="(x - mean_date) / sd_date over the date's members",
            source="qlib CSZScoreNorm",
            input=CrossSectionZScore(),
            coupling="date",
            training_coupling="date",
        ),
        "cs_rank": Variant(
            title="Cross-sectional rank",
            formula="(rank_pct - 0.5) * 3.46 among the date's members",
            source="qlib CSRankNorm; Gu, Kelly & Xiu 2020",
            input=CrossSectionRank(),
            coupling="date",
            training_coupling="date",
        ),
        "instance_norm": Variant(
            title="Instance norm",
            formula="(z - mean_window) / sd_window, z = train z-score",
            source="Ulyanov, Vedaldi & Lempitsky 2016",
            input=ZScore(),
            window=InstanceNorm,
        ),
        "revin": Variant(
            title="RevIN",
            formula="a (z - mean_window) / sd_window + b, undone on the forecast by feature 0",
            source="Kim et al., ICLR 2022",
            input=ZScore(),
            window=RevIN,
        ),
        "batch_norm": Variant(
            title="Batch norm of inputs",
            formula="a (x - mean_batch,time) / sd_batch,time + b; running statistics at scoring",
            source="Ioffe & Szegedy 2015",
            window=FeatureBatchNorm,
            training_coupling="batch",
        ),
        "batch_norm_hidden": Variant(
            title="Batch norm of the last hidden state",
            formula="a (h - mean_batch) / sd_batch + b; running statistics at scoring",
            source="Ioffe & Szegedy 2015; Laurent et al. 2016",
            input=ZScore(),
            hidden=HiddenBatchNorm,
            training_coupling="batch",
        ),
        "batch_norm_date": Variant(
            title="Date batch norm of the last hidden state",
            formula="a (h - mean_date) / sd_date + b, in training and at scoring",
            source="batch norm with one date as its batch",
            input=ZScore(),
            hidden=DateBatchNorm,
            batches="date_block",
            coupling="date",
            training_coupling="date",
        ),
        "layer_norm": Variant(
            title="Layer norm of the last hidden state",
            formula="a (h - mean_units) / sd_units + b",
            source="Ba, Kiros & Hinton 2016",
            input=ZScore(),
            hidden=HiddenLayerNorm,
        ),
        "causal_batch_norm": Variant(
            title="Causal batch norm of the last hidden state",
            formula="a (h - mean_earlier) / sd_earlier + b over strictly earlier dates",
            source="Foldproof; cf. Chiley et al. 2019",
            input=ZScore(),
            hidden=CausalBatchNorm,
            batches="chronological",
            training_coupling="batch",
        ),
        "full_sample_zscore": Variant(
            title="Full-sample z-score (control)",
            formula="(x - mean_all) / sd_all, the test block included",
            source="planted leak",
            input=FullSampleZScore(),
            causal=False,
            control=True,
        ),
    }
)
"""Every variant by its key, in the order of the tables."""


def resolve(name: str) -> Variant:
    """The variant called ``name``.

    Args:
        name: Key of :data:`VARIANTS`, or ``package.module:attribute`` for a variant of your own.

    Raises:
        ValueError: There is no such key, module or attribute, or it is not a Variant.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    if ":" in name:
        return imported(name, "variant", Variant)
    raise ValueError(f"{unknown('normalization variant', name, VARIANTS)}; your own: {OWN}")
