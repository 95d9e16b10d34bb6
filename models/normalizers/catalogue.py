"""The catalogue: every normalization that can be compared. A new one is one entry here."""

from collections.abc import Mapping
from types import MappingProxyType

from foldproof.models.imported import imported
from foldproof.models.normalizers.adaptive import BIN, DAIN, EDAIN, DishTS, STNorm
from foldproof.models.normalizers.cell import (
    InputToHiddenBatchNorm,
    LayerNormCell,
    RecurrentBatchNorm,
    WeightNorm,
)
from foldproof.models.normalizers.chained import Chained
from foldproof.models.normalizers.combined import (
    AT,
    TO,
    combined,
    on_batches,
    split_name,
    trained_on,
)
from foldproof.models.normalizers.controls import CONTROLS
from foldproof.models.normalizers.cross_section import (
    CrossSectionRank,
    CrossSectionRankNormal,
    CrossSectionRobustZScore,
    CrossSectionZScore,
)
from foldproof.models.normalizers.grouped import grouped, is_grouped, split_groups
from foldproof.models.normalizers.hidden import (
    BatchRenorm,
    CausalBatchNorm,
    DateBatchNorm,
    DynamicTanh,
    GhostBatchNorm,
    HiddenBatchNorm,
    HiddenLayerNorm,
    HiddenRMSNorm,
    PreciseBatchNorm,
)
from foldproof.models.normalizers.history import (
    EwmZScore,
    ExpandingZScore,
    RollingRank,
    RollingRobustZScore,
    RollingZScore,
    ScoreDrivenZScore,
    VolatilityScaled,
)
from foldproof.models.normalizers.neutral import ON, NeutralZScore, neutral_to
from foldproof.models.normalizers.pooled import (
    Arcsinh,
    FullSampleZScore,
    MinMax,
    QuantileNormal,
    RobustZScore,
    ZScore,
)
from foldproof.models.normalizers.slices import SAN
from foldproof.models.normalizers.variant import Variant
from foldproof.models.normalizers.window import (
    FeatureBatchNorm,
    InstanceNorm,
    PriceRelative,
    RevIN,
    RobustInstanceNorm,
)
from foldproof.models.spec import OWN, unknown

VARIANTS: Mapping[str, Variant] = MappingProxyType({
    "none": Variant(
        "No normalization", "x", "no treatment",
        statistics="none",
        trap="features of different scale enter the LSTM as they are",
        good_for="measuring what any normalization adds",
    ),
    "zscore": Variant(
        "Train z-score", "(x - mean_train) / sd_train", "qlib ZScoreNorm", input=ZScore(),
        statistics="training rows of all members",
        trap="a level that drifts after training leaves the fitted range",
        good_for="a first choice where features keep their level over the years",
    ),
    "robust_zscore": Variant(
        "Train robust z-score", "clip((x - median_train) / (1.4826 MAD_train), -3, 3)",
        "qlib RobustZScoreNorm", input=RobustZScore(),
        statistics="training rows of all members",
        trap="if more than half the cells of a feature are equal, it becomes 0 everywhere",
        good_for="static scaling of features with outliers",
    ),
    "rolling_zscore": Variant(
        "Rolling z-score", "(x - mean) / sd over the stock's last 252 days, today included",
        "practice", input=RollingZScore(),
        statistics="the stock's last 252 rows, today included",
        trap="missing until 63 rows are known",
        good_for="features whose level and scale drift slowly, without peers",
    ),
    "ewm_zscore": Variant(
        "Exponential z-score",
        "(x - m) / sqrt(v), exponentially weighted to yesterday, half-life 63 days",
        "RiskMetrics (J.P. Morgan 1996), with a mean", input=EwmZScore(),
        statistics="the stock's earlier rows, today excluded",
        trap="missing until 21 earlier rows are known; today's outlier is not damped",
        good_for="features whose scale changes within months, such as volume",
    ),
    "cs_zscore": Variant(
        "Cross-sectional z-score", "(x - mean_date) / sd_date over the date's members",
        "qlib CSZScoreNorm", input=CrossSectionZScore(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="common moves of all stocks are removed",
        good_for="cross-sectional targets, features comparable across stocks",
    ),
    "cs_rank": Variant(
        "Cross-sectional rank", "(rank_pct - 0.5) * 3.46 among the date's members",
        "qlib CSRankNorm; Gu, Kelly & Xiu 2020", input=CrossSectionRank(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="distances are lost; attributions are per unit of rank",
        good_for="cross-sectional targets, heavy tails, bad prints",
    ),
    "min_max": Variant(
        "Train min-max", "(x - min_train) / (max_train - min_train)", "qlib MinMaxNorm",
        input=MinMax(), statistics="training rows of all members",
        trap="one outlier in training squeezes all other values together",
        good_for="bounded features, such as shares and oscillators",
    ),
    "rolling_rank": Variant(
        "Rolling rank", "(rank_pct - 0.5) * 3.46 among the stock's last 252 days, today included",
        "practice", input=RollingRank(), statistics="the stock's last 252 rows, today included",
        trap="slow; a trending level is always at the edge; attributions are per unit of rank",
        good_for="drifting features with outliers",
    ),
    "volatility_scaled": Variant(
        "Volatility scaling", "x / sqrt(v), v the mean of x^2 to yesterday, half-life 11.2 days",
        "RiskMetrics (J.P. Morgan 1996)", input=VolatilityScaled(),
        statistics="the stock's earlier rows, today excluded",
        trap="meant for returns: no mean is removed, so a level becomes about 1 or -1",
        good_for="returns and price changes, whose sign must stay",
    ),
    "cs_rank_normal": Variant(
        "Cross-sectional rank to normal", "Phi^-1((rank - 0.5) / n) among the date's n members",
        "Blom 1958, with Hazen's offset 0.5", input=CrossSectionRankNormal(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="the largest value grows with the number of members; distances are lost",
        good_for="as cs_rank, with tails for a linear head",
    ),
    "rolling_cs_zscore": Variant(
        "Rolling, then cross-sectional z-score", "cs_zscore of the rolling z-score", "practice",
        input=Chained(RollingZScore(), CrossSectionZScore()),
        coupling="date", training_coupling="date",
        statistics="the stock's last 252 rows, then the date's members",
        trap="lasting differences between stocks are removed",
        good_for="values that are unusual by the standards of the stock's own past",
    ),
    "cs_rolling_zscore": Variant(
        "Cross-sectional, then rolling z-score", "rolling_zscore of the cs z-score", "practice",
        input=Chained(CrossSectionZScore(), RollingZScore()),
        coupling="date", training_coupling="date",
        statistics="the date's members, then the stock's last 252 rows",
        trap="a stock that always leads its peers looks like one that never does",
        good_for="changes of a stock's place among its peers",
    ),
    "cs_robust_zscore": Variant(
        "Cross-sectional robust z-score",
        "clip((x - median_date) / (1.4826 MAD_date), -3, 3) over the date's members",
        "qlib CSZScoreNorm(method=robust), clipped", input=CrossSectionRobustZScore(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="where more than half the members are equal, all become 0",
        kinks="medians of the date switch cells",
        good_for="cross-sectional targets where distances count and outliers do not",
    ),
    "neutral_zscore": Variant(
        "Neutral z-score", "e / sd_date, e the residual on the styles across the date's members",
        "Barra risk models; Grinold & Kahn 2000", input=NeutralZScore(),
        coupling="date", training_coupling="date", statistics="the date's members",
        trap="the styles themselves become 0, and so do dates with few members",
        good_for="forecasts that must not be a bet on known styles",
    ),
    "expanding_zscore": Variant(
        "Expanding z-score", "(x - mean) / sd over all of the stock's days so far, today included",
        "practice", input=ExpandingZScore(), unbounded=True,
        statistics="all of the stock's rows so far, today included",
        trap="it never forgets: scoring needs every row since the first of the training panel",
        good_for="short histories; the definition without a window to choose",
    ),
    "rolling_robust_zscore": Variant(
        "Rolling robust z-score",
        "clip((x - median) / (1.4826 MAD), -3, 3) over the stock's last 252 days, today included",
        "practice", input=RollingRobustZScore(),
        statistics="the stock's last 252 rows, today included",
        trap="slow; missing until 63 rows are known; MAD 0 where most rows are equal",
        good_for="drifting features with outliers where distances count",
    ),
    "quantile_normal": Variant(
        "Train quantile to normal", "Phi^-1(F_train(x)), linear between 1,000 quantiles",
        "scikit-learn QuantileTransformer", input=QuantileNormal(),
        statistics="training rows of all members",
        trap="values outside the training range are all at the bounds, 5.2 from the median",
        kinks="the distribution function bends at its quantiles and jumps at its bounds",
        good_for="static scaling of skewed features",
    ),
    "arcsinh": Variant(
        "Train arcsinh", "asinh((x - mean_train) / sd_train)",
        "Johnson 1949; Burbidge, Magee & Robb 1988", input=Arcsinh(),
        statistics="training rows of all members",
        trap="one huge outlier in training inflates the sd: all others become about 0",
        good_for="heavy tails on both sides without clipping, such as flows and earnings surprises",
    ),
    "score_driven": Variant(
        "Score-driven z-score", "(x - m) / s, m and s of Student's t filtered to yesterday",
        "GAS-Norm, Urettini et al. 2024; Creal, Koopman & Lucas 2013", input=ScoreDrivenZScore(),
        statistics="the stock's earlier rows, today excluded; the gain from training rows",
        trap="filtered, never smoothed; missing until 21 earlier rows are known",
        good_for="drifting level and scale with outliers, without a half-life to choose",
    ),
    "instance_norm": Variant(
        "Instance norm", "(z - mean_window) / sd_window, z = train z-score",
        "Ulyanov, Vedaldi & Lempitsky 2016", input=ZScore(), window=InstanceNorm,
        causal_steps=False,
        statistics="training rows, then the window",
        trap="the level of the window is lost",
        good_for="shapes of the window where its level is a nuisance",
    ),
    "revin": Variant(
        "RevIN", "a (z - mean_window) / sd_window + b, undone on the forecast by feature 0",
        "Kim et al., ICLR 2022", input=ZScore(), window=RevIN,
        causal_steps=False,
        statistics="training rows, then the window",
        trap="meant for a target that continues feature 0; not undone for a cross-sectional target",
        good_for="forecasting feature 0 itself, with a level that drifts",
    ),
    "robust_instance_norm": Variant(
        "Robust instance norm",
        "(z - median_window) / (1.4826 MAD_window), z = train z-score",
        "instance norm with median and MAD", input=ZScore(), window=RobustInstanceNorm,
        causal_steps=False,
        statistics="training rows, then the window",
        trap="a feature with one value in most steps has MAD 0, so the other steps become huge",
        kinks="medians of the window switch cells",
        good_for="as instance_norm, with outliers in the window",
    ),
    "price_relative": Variant(
        "Price relative to the last", "a (x / x_last - 1) + b over the window", "qlib Alpha360",
        window=PriceRelative, causal_steps=False, positive=True, statistics="the window",
        trap="for positive levels such as prices only; the last step is the same in every window",
        good_for="raw prices",
    ),
    "dain": Variant(
        "DAIN", "sigmoid(W_c mean(y) + d) y, y = (z - W_a mean_window) / (W_b sd_window)",
        "Passalis et al. 2019", input=ZScore(), window=DAIN,
        causal_steps=False,
        statistics="training rows, then the window",
        trap="the authors' learning rates of shift and scale are smaller than those of the rest",
        kinks="a learned scale that is not positive becomes 1",
        good_for="level and scale that matter in some regimes only, such as order books",
    ),
    "bin": Variant(
        "Bilinear input norm", "u (a z_T + b) + v (c z_F + d), z-scored over steps and features",
        "Tran et al. 2021", input=ZScore(), window=BIN,
        causal_steps=False,
        statistics="training rows, then the window, then the features of a step",
        trap="the z-score over features mixes their units; it needs several features",
        kinks="it is steep where all features of a step are nearly equal",
        good_for="several features in one unit, such as levels of an order book",
    ),
    "st_norm": Variant(
        "ST-Norm", "a z_date + b (z_date - mean_window) / sd_window + c, z_date = cs z-score",
        "Deng et al., KDD 2021", input=CrossSectionZScore(), window=STNorm,
        coupling="date", training_coupling="date", causal_steps=False,
        statistics="the date's members, then the window",
        trap="common moves of all stocks are removed before the window is read",
        good_for="panels with both common seasonal moves and moves of each stock",
    ),
    "edain": Variant(
        "EDAIN, global", "YeoJohnson((tanh-damped z - m) / s), constants learned per feature",
        "September et al., AISTATS 2024", input=ZScore(), window=EDAIN,
        statistics="training rows, then none",
        trap="it has no statistics of the window: a drifting level leaves the fitted range",
        good_for="outliers and skew that differ by feature, to be learned with the task",
    ),
    "dish_ts": Variant(
        "Dish-TS", "a (z - L(z)) / sd_L(z) + b, undone on the forecast by a second learned level",
        "Fan et al., AAAI 2023", input=ZScore(), window=DishTS,
        causal_steps=False,
        statistics="training rows, then the window",
        trap="meant for a target that continues feature 0; not undone for a cross-sectional target",
        good_for="forecasting feature 0 itself, where the next level differs from the window's",
    ),
    "san": Variant(
        "SAN", "(z - mean_slice) / sd_slice, undone on the forecast by a forecast next slice",
        "Liu et al., NeurIPS 2023", input=ZScore(), window=SAN,
        causal_steps=False,
        statistics="training rows, then slices of 5 rows of the window",
        trap="its auxiliary target is the 5 rows after the window: purge it, too",
        good_for="forecasting feature 0 itself, where level and scale change within the window",
    ),
    "batch_norm": Variant(
        "Batch norm of inputs",
        "a (x - mean_batch,time) / sd_batch,time + b; running statistics at scoring",
        "Ioffe & Szegedy 2015", window=FeatureBatchNorm,
        training_coupling="batch", statistics="the batch in training, running at scoring",
        trap="scored in train mode, forecasts depend on the other samples of the batch",
        good_for="raw features without a fitted scaler, in shuffled batches",
    ),
    "batch_norm_hidden": Variant(
        "Batch norm of the last hidden state",
        "a (h - mean_batch) / sd_batch + b; running statistics at scoring",
        "Ioffe & Szegedy 2015; Laurent et al. 2016", input=ZScore(), hidden=HiddenBatchNorm,
        training_coupling="batch", statistics="the batch in training, running at scoring",
        trap="scored in train mode, forecasts depend on the other samples of the batch",
        good_for="faster training of the head, in shuffled batches",
    ),
    "batch_norm_date": Variant(
        "Date batch norm of the last hidden state",
        "a (h - mean_date) / sd_date + b, in training and at scoring",
        "batch norm with one date as its batch", input=ZScore(), hidden=DateBatchNorm,
        batches="date_block", coupling="date", training_coupling="date",
        statistics="the samples of the date", trap="a date with one sample becomes the bias",
        good_for="cross-sectional targets: the head ranks the stocks of a date",
    ),
    "layer_norm": Variant(
        "Layer norm of the last hidden state", "a (h - mean_units) / sd_units + b",
        "Ba, Kiros & Hinton 2016", input=ZScore(), hidden=HiddenLayerNorm,
        statistics="the units of the sample",
        trap="the size of the hidden state is lost",
        good_for="a stable head that depends on no other sample",
    ),
    "rms_norm": Variant(
        "RMS norm of the last hidden state", "a h / sqrt(mean_units(h^2))",
        "Zhang & Sennrich 2019", input=ZScore(), hidden=HiddenRMSNorm,
        statistics="the units of the sample",
        trap="the size of the hidden state is lost, its mean is kept",
        good_for="as layer_norm, cheaper",
    ),
    "dynamic_tanh": Variant(
        "Dynamic tanh of the last hidden state", "a tanh(s h) + b, no statistics",
        "Zhu et al., CVPR 2025", input=ZScore(), hidden=DynamicTanh,
        statistics="training rows, then none",
        trap="an LSTM's state is in (-1, 1) already, so there is little to squash",
        good_for="comparing with a norm that keeps no statistics",
    ),
    "ghost_batch_norm": Variant(
        "Ghost batch norm of the last hidden state",
        "a (h - mean_ghost) / sd_ghost + b over 32 samples; running statistics at scoring",
        "Hoffer, Hubara & Soudry 2017", input=ZScore(), hidden=GhostBatchNorm,
        training_coupling="batch", statistics="32 samples in training, running at scoring",
        trap="batches in time order make ghosts of a few dates",
        good_for="large batches, whose batch norm has too little noise",
    ),
    "batch_renorm": Variant(
        "Batch renormalization of the last hidden state",
        "a (r (h - mean_batch) / sd_batch + d) + b, r and d towards the running statistics",
        "Ioffe 2017", input=ZScore(), hidden=BatchRenorm,
        training_coupling="batch", statistics="the batch in training, running at scoring",
        trap="r and d get no gradient; before step 50 it is plain batch norm",
        good_for="small or mixed batches, where training and scoring differ most",
    ),
    "precise_batch_norm": Variant(
        "Precise batch norm of the last hidden state",
        "a (h - mean_batch) / sd_batch + b; statistics of all training samples at scoring",
        "Wu & Johnson 2021", input=ZScore(), hidden=PreciseBatchNorm,
        training_coupling="batch",
        statistics="the batch in training, all training samples at scoring",
        trap="to update the statistics on the samples that are scored is a leak",
        good_for="running statistics that lag behind the weights",
    ),
    "layer_norm_cell": Variant(
        "Layer norm in the LSTM's cell",
        "gates LN(W_x x) + LN(W_h h) + b, h = sigmoid(o) tanh(LN(c))",
        "Ba, Kiros & Hinton 2016, eq. 20 to 22", input=ZScore(), cell=LayerNormCell,
        statistics="the units of the sample at each step",
        trap="slow: it runs step by step in torch; the gains begin as 0.1, the paper's as 1",
        kinks="it is steep where the sums of all gates are nearly equal",
        good_for="long windows, on which the LSTM's state drifts",
    ),
    "recurrent_batch_norm": Variant(
        "Recurrent batch norm", "gates BN_t(W_x x) + BN_t(W_h h) + b, h = sigmoid(o) tanh(BN_t(c))",
        "Cooijmans et al., ICLR 2017", input=ZScore(), cell=RecurrentBatchNorm,
        training_coupling="batch",
        statistics="the batch at each step in training, running by step at scoring",
        trap="slow; each step has running statistics of its own, which need many batches",
        good_for="long windows of one length, large batches",
    ),
    "input_to_hidden_batch_norm": Variant(
        "Input-to-hidden batch norm", "gates BN(W_x x) + W_h h + b, over batch and steps",
        "Laurent et al. 2016", input=ZScore(), cell=InputToHiddenBatchNorm,
        training_coupling="batch",
        statistics="the batch and its steps in training, running at scoring",
        trap="slow: it runs step by step in torch; over the steps, later rows enter earlier ones",
        good_for="faster training with an untouched recurrence",
    ),
    "weight_norm": Variant(
        "Weight norm of the LSTM", "rows of W_x and W_h are g v / |v|",
        "Salimans & Kingma 2016", input=ZScore(), cell=WeightNorm,
        statistics="training rows, then none",
        trap="it changes how weights are learned, not the data",
        good_for="comparing with better conditioning alone",
    ),
    "causal_batch_norm": Variant(
        "Causal batch norm of the last hidden state",
        "a (h - mean_earlier) / sd_earlier + b over strictly earlier dates",
        "Foldproof; cf. Chiley et al. 2019", input=ZScore(), hidden=CausalBatchNorm,
        batches="chronological", training_coupling="batch",
        statistics="earlier dates in training, fixed at scoring",
        trap="batches must come in time order",
        good_for="batch norm that never saw a later date, also in training",
    ),
    "full_sample_zscore": Variant(
        "Full-sample z-score (control)", "(x - mean_all) / sd_all, the test block included",
        "planted leak", input=FullSampleZScore(), causal=False, control=True,
        statistics="all rows, the test block included",
        trap="leaks on purpose, so that the audit has something to detect",
        good_for="proving that the audit works",
    ),
})  # fmt: skip
"""Every variant by its key, in the order of the tables."""


EXAMPLE = "cs_rank + layer_norm @ date_block -> cs_rank"
"""A combination on stated batches and a stated kind of target."""


def resolve(name: str) -> Variant:
    """The variant called ``name``.

    Args:
        name: Key of :data:`VARIANTS` or of ``CONTROLS``, or ``package.module:attribute`` for a
            variant of your own; several of these joined by `` + ``, see
            :func:`~.combined.combined`; and after them `` @ `` with a key of ``BATCHES`` to train
            on, see :func:`~.combined.on_batches`; and after these `` -> `` with a kind of target to
            train on, see :func:`~.combined.trained_on`. In place of the first name, a normalization
            for each group of features, see :mod:`~.grouped`; after neutral_zscore, `` ~ `` with the
            style columns, see :func:`~.neutral.neutral_to`.

    Raises:
        ValueError: There is no such key, module or attribute, it is not a Variant, or the names do
            not combine.
    """
    if name in VARIANTS or name in CONTROLS:
        return VARIANTS.get(name) or CONTROLS[name]
    names, batches, target = split_name(name)
    if TO in name:
        return trained_on(name, resolve(name.partition(TO)[0]), target)
    if batches:
        return on_batches(name, resolve(name.partition(AT)[0]), batches)
    if len(names) > 1:
        return combined(names, [resolve(one) for one in names])
    if ON in name:
        return neutral_to(name, resolve(name.partition(ON)[0]))
    if is_grouped(name):
        groups = split_groups(name)
        return grouped(name, groups, [resolve(one) for one, _ in groups])
    if ":" in name:
        return imported(name, "variant", Variant)
    message = unknown("normalization variant", name, {**VARIANTS, **CONTROLS})
    if set("+@>~") & set(name):
        message = f"{message}; write +, @, ~ and -> between spaces: {EXAMPLE}"
    raise ValueError(f"{message}; your own: {OWN}")
