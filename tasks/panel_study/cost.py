"""What training costs, estimated before a study starts."""

SECONDS_PER_STEP = 2.0e-8
"""CPU seconds of the compiled LSTM per sample, epoch, row of the window and hidden unit: a unit of
20 stocks x 1,260 dates, 20 rows and 32 hidden units takes 1.6 s."""
IN_TORCH = 4.0
"""Trainings by the compiled LSTM that cost as much as one of a cell that only torch runs."""
USUAL_EPOCHS = 5
"""Epochs until early stopping ends a training, usually; at most those of the settings."""


def expected_seconds(
    units: float, stocks: int, dates: int, *, window: int, hidden: int, epochs: int
) -> float:
    """CPU seconds of trainings; finished units cost nothing.

    Args:
        units: Number of trainings; one in torch counts ``IN_TORCH`` times.
        stocks: Stocks of the panel.
        dates: Dates of a training block.
        window: Rows of a window.
        hidden: Hidden units.
        epochs: Most epochs.
    """
    samples = stocks * dates * min(epochs, USUAL_EPOCHS)
    return units * samples * window * hidden * SECONDS_PER_STEP
