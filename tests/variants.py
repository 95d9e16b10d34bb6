"""The catalogue of normalizations as parameters of tests in other rooms.

Variants outside the default comparison are marked slow there: each of these tests trains a unit.
"""

import pytest

from foldproof.conf.load import load
from foldproof.models.normalizers import VARIANTS

EVERY_VARIANT = [
    name if name in load("sp500").variants else pytest.param(name, marks=pytest.mark.slow)
    for name in VARIANTS
]
