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

VARIANTS: Mapping[str, Variant] = MappingProxyType({
    "none": Variant(
        "No normalization", "x", "control without treatment",
        statistics="none",
        trap="features of different scale enter the LSTM as they are",
    ),
    "zscore": Variant(
        "Train z-score", "(x - mean_train) / sd_train", "qlib ZScoreNorm", input=ZScore(),
        statistics="training rows of all members",
        trap="a level that drifts after training leaves the fitted range",
    ),
    "robust_zscore": Variant(
        "Train robust z-score", "clip((x - median_train) / (1.4826 MAD_train), -3, 3)",
        "qlib RobustZScoreNorm", input=RobustZScore(),
        statistics="training rows of all members",
        trap="if more than half the cells of a feature are equal, it becomes 0 everywhere",
    ),
    "rolling_zscore": Variant(
        "Rolling z-score", "(x - mean) / sd over the stock's last 252 days, today included",
        "practice", input=RollingZScore(),
        statistics="the stock's last 252 rows, today included",
        trap="missing until 63 rows are known",
    ),
    "ewm_zscore": Variant(
        "Exponential z-score",
        "(x - m) / sqrt(v), exponentially weighted to yesterday, half-life 63 days",
        "RiskMetrics (J.P. Morgan 1996), with a mean", input=EwmZScore(),
        statistics="the stock's earlier rows, today excluded",
        trap="missing until 21 earlier rows are known; today's outlier is not damped",
    ),
    "cs_zscore": Variant(
        "Cross-sectional z-score", "(x - mean_date) / sd_date over the date's members",
        "qlib CSZScoreNorm", input=CrossSectionZScore(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="common moves of all stocks are removed",
    ),
    "cs_rank": Variant(
        "Cross-sectional rank", "(rank_pct - 0.5) * 3.46 among the date's members",
        "qlib CSRankNorm; Gu, Kelly & Xiu 2020", input=CrossSectionRank(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="distances are lost; attributions are per unit of rank",
    ),
    "instance_norm": Variant(
        "Instance norm", "(z - mean_window) / sd_window, z = train z-score",
        "Ulyanov, Vedaldi & Lempitsky 2016", input=ZScore(), window=InstanceNorm,
        statistics="training rows, then the window",
        trap="the level of the window is lost",
    ),
    "revin": Variant(
        "RevIN", "a (z - mean_window) / sd_window + b, undone on the forecast by feature 0",
        "Kim et al., ICLR 2022", input=ZScore(), window=RevIN,
        statistics="training rows, then the window",
        trap="meant for a target that continues feature 0",
    ),
    "batch_norm": Variant(
        "Batch norm of inputs",
        "a (x - mean_batch,time) / sd_batch,time + b; running statistics at scoring",
        "Ioffe & Szegedy 2015", window=FeatureBatchNorm,
        training_coupling="batch", statistics="the batch in training, running at scoring",
        trap="scored in train mode, forecasts depend on the other samples of the batch",
    ),
    "batch_norm_hidden": Variant(
        "Batch norm of the last hidden state",
        "a (h - mean_batch) / sd_batch + b; running statistics at scoring",
        "Ioffe & Szegedy 2015; Laurent et al. 2016", input=ZScore(), hidden=HiddenBatchNorm,
        training_coupling="batch", statistics="the batch in training, running at scoring",
        trap="scored in train mode, forecasts depend on the other samples of the batch",
    ),
    "batch_norm_date": Variant(
        "Date batch norm of the last hidden state",
        "a (h - mean_date) / sd_date + b, in training and at scoring",
        "batch norm with one date as its batch", input=ZScore(), hidden=DateBatchNorm,
        batches="date_block", coupling="date", training_coupling="date",
        statistics="the samples of the date", trap="a date with one sample becomes the bias",
    ),
    "layer_norm": Variant(
        "Layer norm of the last hidden state", "a (h - mean_units) / sd_units + b",
        "Ba, Kiros & Hinton 2016", input=ZScore(), hidden=HiddenLayerNorm,
        statistics="the units of the sample",
        trap="the size of the hidden state is lost",
    ),
    "causal_batch_norm": Variant(
        "Causal batch norm of the last hidden state",
        "a (h - mean_earlier) / sd_earlier + b over strictly earlier dates",
        "Foldproof; cf. Chiley et al. 2019", input=ZScore(), hidden=CausalBatchNorm,
        batches="chronological", training_coupling="batch",
        statistics="earlier dates in training, fixed at scoring",
        trap="batches must come in time order",
    ),
    "full_sample_zscore": Variant(
        "Full-sample z-score (control)", "(x - mean_all) / sd_all, the test block included",
        "planted leak", input=FullSampleZScore(), causal=False, control=True,
        statistics="all rows, the test block included",
        trap="leaks on purpose, so that the audit has something to detect",
    ),
})  # fmt: skip
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
