"""Error message for a plan without folds: which size is too long, and by how much."""

from foldproof.tasks.split.cut import Cutter
from foldproof.tasks.split.size import DAY, Size


def shortage(cutter: Cutter, texts: dict[str, int | str]) -> str:
    """Why no fold fits, and what to shorten.

    Args:
        cutter: The plan without folds.
        texts: The sizes train, validation and test as the user wrote them.
    """
    if any(size.calendar for size in (cutter.train, cutter.validation, cutter.test)):
        return _shortage_in_dates(cutter, texts)
    return _shortage_in_rows(cutter, texts)


def _shortage_in_rows(cutter: Cutter, texts: dict[str, int | str]) -> str:
    """For sizes in trading days: their sum, the rows of the panel, and the longest train."""
    rows = len(cutter.dates)
    border = rows - cutter.test.rows
    terms, need = [f"test {texts['test']}"], cutter.test.rows
    for name, size in (("validation", cutter.validation), ("train", cutter.train)):
        if size != Size():
            first = int(cutter.known[0]) + cutter.embargo  # for a border before the data
            purge = border - cutter.purged(border) if border > 0 else first
            terms[:0] = [f"{name} {texts[name]}", f"purge {purge}"]
            need += purge + size.rows
            border -= purge + size.rows
    short = need - rows
    room = cutter.train.rows - short
    remedy = f"shorten train to at most {room}" if room > 0 else "shorten test, validation or train"
    return (
        f"{' + '.join(terms)} need {need} trading days; the panel has {rows}: {short} short; "
        f"{remedy}, or take more history"
    )


def _shortage_in_dates(cutter: Cutter, texts: dict[str, int | str]) -> str:
    """For calendar periods: the block that begins before the data, and by how much."""
    dates = cutter.dates
    panel = f"the panel runs from {dates[0]} to {dates[-1]} ({len(dates)} trading days)"
    blocks = [name for name, text in texts.items() if text != 0]
    remedy = f"shorten {' or '.join(blocks)}, or take more history"
    stop = len(dates)
    for name, size in (
        ("test", cutter.test), ("validation", cutter.validation), ("train", cutter.train)
    ):  # fmt: skip
        if size == Size():
            continue
        stop = stop if name == "test" else cutter.purged(stop)
        if stop <= 0:
            return f"no trading day is left for {name} {texts[name]}: {panel}; {remedy}"
        if cutter.back(stop, size) < 0:
            what = f"{name} {texts[name]}, ending on {dates[stop - 1]},"
            if not size.calendar:
                return f"{what} is {size.rows - stop} trading days short: {panel}; {remedy}"
            begin = size.times(-1).after(dates[stop - 1] + DAY)
            short = (dates[0] - begin).astype(int)
            return f"{what} would begin on {begin}, {short} days too early: {panel}; {remedy}"
        stop = cutter.back(stop, size)
    return f"no whole test block fits: {panel}; {remedy}"
