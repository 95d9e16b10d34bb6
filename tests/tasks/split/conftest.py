import numpy as np
import pytest


@pytest.fixture
def business_days():
    """2010 to 2019 with some holidays, as (D,) datetime64[D]."""
    days = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")
    holidays = np.array(["2010-01-01", "2013-03-29", "2014-12-25", "2018-12-05"], "datetime64[D]")
    return days[np.is_busday(days, holidays=holidays)]
