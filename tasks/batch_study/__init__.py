"""What batch statistics do to an LSTM: one cell of normalization x batch composition.

What decides a cell is all in here: finished cells are found by the code of this package, and the
words about them (``batch_table``, ``batch_words``) may change without training again.
"""

from foldproof.tasks.batch_study.cell import Scored, in_train_mode, rank_ic, row_of, scored_cell
from foldproof.tasks.batch_study.composition import Composition, why_not

__all__ = [
    "Composition",
    "Scored",
    "in_train_mode",
    "rank_ic",
    "row_of",
    "scored_cell",
    "why_not",
]
