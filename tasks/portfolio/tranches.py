"""Overlapping tranches: each day's portfolio is bought at the next close and held for the horizon.

The book of a day is the mean of the ``horizon`` tranches that are live, each with the same notional
when it is opened (Jegadeesh and Titman 1993). Inside a tranche nothing is traded, so its weights
drift with prices. Profits are not reinvested.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foldproof.tasks.data.features.windows import lagged


@dataclass(frozen=True, eq=False)
class Holdings:
    """Values of one unit of money in each stock from each close on, over ``horizon`` closes.

    Attributes:
        carried: (D, S) closes, carried over short gaps; beyond the last quote of a stock they are
            not read, because it never trades again.
        quoted: (D, S) closes; a tranche opens only in stocks that are quoted.
        horizon: Closes until a tranche is sold.
        delisting_return: Return of a stock from its last close to nothing more; 0: the last close
            is paid out.
    """

    carried: np.ndarray
    quoted: np.ndarray
    horizon: int
    delisting_return: float = 0.0

    def steps(self) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """For each close after opening: its number, values before and at it, and what is alive.

        All are (D, S), by the row of the opening close. A stock without a price longer than the
        carried gap is paid out at its last close, plus the delisting return if it never trades
        again; from then on its value does not change.
        """
        alive = np.isfinite(self.quoted)
        trades_again = np.logical_or.accumulate(alive[::-1], axis=0)[::-1]
        carried = np.where(trades_again, self.carried, np.nan)
        value = alive.astype(float)
        for number in range(1, self.horizon + 1):
            before, now = ahead(carried, number - 1), ahead(carried, number)
            beyond = np.arange(len(now))[:, None] + number >= len(now)
            moved = np.divide(now, before, out=np.ones(now.shape), where=alive & np.isfinite(now))
            gone = alive & ~np.isfinite(now) & ~beyond
            final = gone & ~(ahead(trades_again.astype(float), number) == 1)
            moved[final] = 1 + self.delisting_return
            following = value * np.where(alive, moved, 1.0)
            alive = alive & ~gone
            yield number, value, following, alive
            value = following


def ahead(values: np.ndarray, rows: int) -> np.ndarray:
    """(D, S): row d holds row d + ``rows``; NaN beyond the last."""
    return lagged(values[::-1], rows)[::-1]


def profits(holdings: Holdings, weights: np.ndarray) -> np.ndarray:
    """(B, D) profit of each day, per unit of notional, of B books of overlapping tranches.

    Args:
        holdings: Values of the stocks.
        weights: (B, D, S) weights of the tranche that opens at each close; 0 for no tranche.
    """
    total = np.zeros(weights.shape[:2])
    for number, before, now, _ in holdings.steps():
        earned = np.einsum("bds,ds->bd", weights, now - before)
        total[:, number:] += earned[:, : earned.shape[1] - number]
    return total / holdings.horizon


def traded(holdings: Holdings, weights: np.ndarray) -> np.ndarray:
    """(B, D) value bought and sold at each close, per unit of notional.

    A stock in the tranche that ends and in the one that begins is traded by the difference only. A
    stock that was paid out is not sold.
    """
    *_, (number, _, now, alive) = holdings.steps()
    held = np.where(alive, now, 0.0)
    ending = np.zeros(weights.shape)
    ending[:, number:] = (weights * held)[:, : len(held) - number]
    opening = np.where(np.isfinite(holdings.quoted), weights, 0.0)
    return np.abs(opening - ending).sum(axis=-1) / holdings.horizon


def invested(opened: np.ndarray, horizon: int) -> np.ndarray:
    """(D,) bool: days on which all tranches are live, and one opens at the close.

    Args:
        opened: (D,) bool, closes at which a tranche opens.
        horizon: Tranches of a book.
    """
    full = opened.copy()
    for number in range(1, horizon + 1):
        full[number:] &= opened[:-number]
        full[:number] = False
    return full
