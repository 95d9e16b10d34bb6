"""Cases as public notebooks have them, half as a black box; each leak has an honest counterpart."""

from functools import partial
from typing import Any

from foldproof.tasks.benchmark.case import Case, pipeline_case
from foldproof.tasks.benchmark.honest import look_alikes
from foldproof.tasks.benchmark.honest import notebooks as honest
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.leaks import notebooks as leaky
from foldproof.tasks.diagnose.findings.catalogue import by_key

SMALL = Market(symbols=10, days=150)
BOX = ("training", "scoring")
"""Stages of a leak in a forecaster that traces nothing."""
F = ("features",)


def box(key: str, title: str, *stages: str, forecast: Any) -> Case:
    """A forecaster that traces nothing."""
    return Case(key, title, forecast, stages, SMALL)


def feature(key: str, title: str, *stages: str, added: Any) -> Case:
    """A feature beside the honest ones."""
    return pipeline_case(key, title, *stages, added=added, market=SMALL)


NOTEBOOK_LEAKS = by_key(
    box("fit_transform", "min-max scaling before the split", *BOX,
        forecast=leaky.scaled_before_split),
    box("test scaler", "the scaler fitted again on the test rows", *BOX,
        forecast=leaky.scaler_fitted_again),
    box("label scaler", "the label scaled by all its rows", *BOX,
        forecast=leaky.target_scaled_on_all),
    box("mean imputer", "gaps filled by means of all rows", *BOX, forecast=leaky.imputed_on_all),
    box("k best", "features chosen by F statistics on all rows", *BOX,
        forecast=leaky.selected_on_all),
    box("best seed", "the best seed on the test dates", *BOX, forecast=leaky.best_seed_on_test),
    box("test stopping", "boosting stopped by the test rows", *BOX,
        forecast=leaky.stopped_on_test),
    box("random split", "train_test_split that shuffles dates", *BOX,
        forecast=leaky.split_at_random),
    box("out of fold", "out-of-fold forecasts of a K-fold", *BOX, forecast=leaky.out_of_fold),
    box("update today", "an update a day on labels of the same day", *BOX,
        forecast=partial(honest.updated_daily, wait=0)),
    box("analogues", "similar days, later ones too", *BOX,
        forecast=partial(honest.analogues, all_days=True)),
    box("all quantiles", "forecasts as quantiles of all forecasts", *BOX,
        forecast=leaky.quantiles_of_all),
    box("trend line", "linear trend over all days", *BOX,
        forecast=partial(honest.detrended, until=10_000)),
    box("ar", "AR(1) coefficients of all days", *BOX,
        forecast=partial(honest.autoregressive, everything=True)),
    box("volatility", "signal over the volatility of all days", *BOX,
        forecast=partial(honest.inverse_volatility, everything=True)),
    box("dropna columns", "stocks with a price on every day", *BOX,
        forecast=leaky.full_histories),
    box("dropna rows", "only rows with a known label scored", *BOX, forecast=leaky.labels_dropped),
    box("train mode", "LSTM with batch norm scored without eval()", *BOX,
        forecast=partial(honest.network, training=True)),
    box("batch_first", "LSTM that takes samples for time steps", *BOX,
        forecast=partial(honest.network, batch_first=False, norm=False)),
    box("window norm", "windows normalized with the next day in them", *BOX,
        forecast=partial(honest.network, norm=False, ahead=1)),
    feature("lag", "a lag with the wrong sign", *F, added=leaky.lagged_the_wrong_way),
    feature("newest first", "volume summed from the newest row on", *F,
            added=partial(honest.on_balance, newest_first=True)),
    feature("week label", "weekly bars dated to the Friday before", *F,
            added=partial(honest.weekly_bar, label="left")),
    feature("month norm", "close over the mean of its month", *F, added=leaky.month_z_score),
    feature("savgol", "Savitzky-Golay filter, centred", *F, added=leaky.centred_savgol),
    feature("filtfilt", "filter run forwards and backwards", *F,
            added=partial(honest.low_passed, both_ways=True)),
    feature("convolve same", "convolution of mode same", *F,
            added=partial(honest.convolved, mode="same")),
    feature("decomposition", "trend of a seasonal decomposition", *F, added=leaky.decomposed),
    feature("lowess", "LOWESS over the whole history", *F, added=leaky.local_regression),
    feature("history rank", "rank in the whole history", *F,
            added=partial(honest.rank_in_history, everything=True)),
    feature("qcut", "deciles of all rows", *F, added=partial(honest.deciles, everything=True)),
    feature("beta", "beta over all days", *F, added=partial(honest.market_beta, everything=True)),
    feature("mean fill", "gaps filled by the stock's mean", *F,
            added=partial(honest.filled_by_mean, everything=True)),
    feature("swing", "swing highs on their own day", *F,
            added=partial(honest.swing_high, confirmed=False)),
    feature("svd", "components of the returns of all days", *F,
            added=partial(honest.components, everything=True)),
    feature("excursion", "lowest close of the next five days", *F,
            added=partial(honest.excursion, ahead=True)),
    feature("report clock", "days until the next report in the table", *F,
            added=partial(honest.report_clock, ahead=True)),
    feature("barrier", "outcome of a barrier on its own day", *F,
            added=partial(honest.barrier_outcomes, wait=0)),
    feature("wavelet", "wavelet shrinkage of the whole history", *F,
            added=partial(honest.denoised, everything=True)),
    feature("hedge", "hedge ratio over all days", *F,
            added=partial(honest.hedge_ratio, everything=True)),
    feature("sector code", "sectors encoded by all labels", *F,
            added=partial(honest.encoded_sector, everything=True)),
)  # fmt: skip
"""Leaks of public notebooks."""

NOTEBOOK_HONEST = by_key(
    box("train scaler", "min-max scaling fitted on train", forecast=honest.scaled_on_train),
    box("scaler reused", "a pipeline with its training scaler", forecast=honest.scaler_reused),
    box("train label scaler", "the label scaled by train", forecast=honest.target_scaled_on_train),
    box("train imputer", "gaps filled by means of train", forecast=honest.imputed_on_train),
    box("k best of train", "features chosen on train", forecast=honest.selected_on_train),
    box("best validated seed", "the best seed on validation",
        forecast=honest.best_seed_on_validation),
    box("validated stopping", "boosting stopped by validation rows", forecast=honest.boosted),
    box("walk forward", "a new model every ten dates", forecast=honest.walk_forward),
    box("update later", "an update a day on labels known by then", forecast=honest.updated_daily),
    box("past analogues", "similar days of the past", forecast=honest.analogues),
    box("date quantiles", "forecasts as quantiles of the date", forecast=honest.quantile_by_date),
    box("train trend line", "linear trend over train", forecast=honest.detrended),
    box("train ar", "AR(1) coefficients of train", forecast=honest.autoregressive),
    box("volatility so far", "signal over the volatility so far",
        forecast=honest.inverse_volatility),
    box("listed at start", "stocks with a price on every training day",
        forecast=honest.listed_at_start),
    box("carried prices", "prices carried over gaps", forecast=honest.carried_prices),
    box("one hot", "sectors as indicator columns", forecast=honest.one_hot),
    box("dropna in train", "labels needed in training only",
        forecast=honest.labels_dropped_in_training),
    box("eval mode", "LSTM with batch norm in eval mode", forecast=honest.network),
    box("own window norm", "windows normalized by themselves",
        forecast=partial(honest.network, norm=False)),
    feature("right lag", "a lag of one day", added=honest.lagged_difference),
    feature("oldest first", "volume summed from the oldest row on", added=honest.on_balance),
    feature("finished weeks", "weekly bars on their own Friday", added=honest.weekly_bar),
    feature("month so far", "close over the mean of its month so far", added=honest.month_so_far),
    feature("one-sided savgol", "last point of a trailing quadratic",
            added=honest.one_sided_savgol),
    feature("lfilter", "filter run forwards", added=honest.low_passed),
    feature("convolve full", "convolution cut to the first values", added=honest.convolved),
    feature("rank so far", "rank in the history so far", added=honest.rank_in_history),
    feature("date groups", "groups of the date", added=honest.deciles),
    feature("rolling beta", "beta over 30 days", added=honest.market_beta),
    feature("mean so far", "gaps filled by the mean so far", added=honest.filled_by_mean),
    feature("confirmed swing", "swing highs three days later", added=honest.swing_high),
    feature("trailing svd", "components of the last 30 days", added=honest.components),
    feature("past excursion", "lowest close of the last five days", added=honest.excursion),
    feature("days since report", "days since the last report", added=honest.report_clock),
    feature("past barrier", "outcome of a barrier once known", added=honest.barrier_outcomes),
    feature("trailing wavelet", "wavelet shrinkage of eight days", added=honest.denoised),
    feature("rolling hedge", "hedge ratio over 40 days", added=honest.hedge_ratio),
    feature("known sector code", "sectors encoded by known labels", added=honest.encoded_sector),
    feature("known labels of the sector", "momentum of known labels, exponential",
            added=partial(look_alikes.mean_of_known_labels, over="ewm", halflife=5)),
)  # fmt: skip
"""Honest counterparts."""
