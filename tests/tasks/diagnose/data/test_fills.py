import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.fills import fills

CLOSE = pd.Timestamp("2024-03-04 16:00")


def decisions(*done, known=CLOSE):
    frame = pd.DataFrame({"fill_time": [*done]}, dtype="datetime64[ns]")
    return frame.assign(information_time=known, symbol=list("ABCDE")[: len(done)])


def test_fills_by_hand():
    """At the open of the same day, at the very close, after it, never."""
    four = decisions(CLOSE - pd.Timedelta("390min"), CLOSE, CLOSE + pd.Timedelta("1s"), pd.NaT)
    finding = fills(four)
    assert (finding.test, finding.verdict, finding.value) == ("execution", Verdict.LEAK, 2.0)
    assert (finding.witness.symbol, finding.witness.date) == ("A", "2024-03-04 09:30:00")
    assert finding.tested == "3 fills of 4 decisions"
    clean = fills(four[2:])
    assert (clean.verdict, clean.value, clean.witness) == (Verdict.CLEAN, 0.0, None)


def test_what_does_not_say_when_it_was_known_is_never_clean():
    late = decisions(CLOSE, CLOSE)
    late.loc[0, "information_time"] = pd.NaT
    assert fills(late).value == 1
    silent = fills(decisions(CLOSE, known=pd.NaT))
    assert (silent.verdict, silent.evidence) == (
        Verdict.UNKNOWN,
        "1 fills without information_time",
    )
    assert fills(decisions(pd.NaT)).evidence == "nothing was filled"
    assert fills(decisions()).verdict is Verdict.UNKNOWN


def test_time_zones_are_compared_as_instants_or_refused():
    london = decisions(CLOSE).assign(
        fill_time=CLOSE.tz_localize("Europe/London") + pd.Timedelta("1h"),
        information_time=CLOSE.tz_localize("America/New_York"),
    )
    assert fills(london).verdict is Verdict.LEAK
    mixed = london.assign(information_time=CLOSE)
    with pytest.raises(ValueError, match="both have a time zone or both have none"):
        fills(mixed)


def test_odd_tables_are_refused():
    with pytest.raises(ValueError, match="column known is missing; there are fill_time"):
        fills(decisions(CLOSE), information="known")
    with pytest.raises(ValueError, match="column fill_time must hold times"):
        fills(decisions(CLOSE).assign(fill_time=1.5))
