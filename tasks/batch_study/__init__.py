"""The effect of batch statistics on an LSTM: a grid of normalization x batch composition.

A cell is one normalization on one composition of one panel, with all its seeds. Finished cells are
cached under a hash that includes the code of this package.
"""

from foldproof.tasks.batch_study.cell import Scored, in_train_mode, rank_ic, scored_cell
from foldproof.tasks.batch_study.composition import Composition, why_not

__all__ = ["Composition", "Scored", "in_train_mode", "rank_ic", "scored_cell", "why_not"]
