"""The answers in plain words: what the numbers show, and what they do not."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, overall
from foldproof.tasks.report.attribution.words import which_features
from foldproof.tasks.report.results import Estimate, Results, label, names


def answers(results: Results) -> list[str]:
    """One paragraph a question of ``QUESTIONS``, in its order."""
    return [answer(results) for answer in QUESTIONS.values()]


def best_normalization(results: Results) -> str:
    """What cannot be ruled out, whether the best forecasts at all, what it gains."""
    if not results.candidates:
        return "None that was compared: every one of them sees the future."
    best = results.candidates[0]
    parts = (
        _not_ruled_out(results), _skill(results, best), _gain(results, best), _luck(results)
    )  # fmt: skip
    return " ".join(part for part in parts if part)


def _not_ruled_out(results: Results) -> str:
    kept, among = results.kept, len(results.candidates)
    if among == 1:
        return f"Only {label(results.candidates[0])} was compared that is not known to leak."
    if not kept:
        return "The confidence set holds no candidate: what leaks outdid them all."
    if len(kept) == among:
        return f"The data do not tell: none of the {among} candidates can be ruled out as the best."
    if len(kept) == 1:
        return f"{label(kept[0])}: the {among - 1} other candidates are ruled out as the best."
    return (
        f"{names(kept)} cannot be ruled out as the best; "
        f"the other {among - len(kept)} of {among} candidates can."
    )


def _skill(results: Results, best: str) -> str:
    ic = results.rank_ic(best)
    if ic.low > 0:
        shown = "above zero"
    elif ic.high < 0:
        shown = "below zero, worse than chance"
    else:
        shown = "an interval that includes zero: no skill is shown"
    return f"The highest mean daily rank IC is that of {label(best)}, {ic}, {shown}."


def _gain(results: Results, best: str) -> str:
    gain = results.gain(best)
    if not gain.known:
        return ""
    shown = ", which includes zero: no gain is shown" if gain.low <= 0 <= gain.high else ""
    return f"Against {label(results.base)} it gains {gain}{shown}."


def _luck(results: Results) -> str:
    chosen = results.selection
    if chosen.overfitting != chosen.overfitting:
        return ""
    text = (
        f"Whoever picks the best of {chosen.trials} by one half of the dates gets one from the "
        f"worse half of them on the other in {chosen.overfitting:.0%} of the ways to halve"
    )
    if chosen.deflated == chosen.deflated:
        text += (
            f"; the probability that its ICIR is more than the luck of {chosen.trials} trials is "
            f"{chosen.deflated:.2f}"
        )
    return f"{text}."


def sees_the_future(results: Results) -> str:
    """Whether the audit can be trusted, what it caught, what it could not decide."""
    if not any(results.findings.values()):
        return "Not tested: the leak audit did not run."
    others = [name for name in results.variants if not results.is_control(name)]
    leaking, unknown, clean = (
        [name for name in others if results.verdicts.get(name) is verdict] for verdict in Verdict
    )
    parts = [_trust(results)]
    if leaking:
        parts.append(f"These see the future: {names(leaking)}. {_where(results, leaking[0])}")
    if clean and (results.audit_trusted or not results.controls):
        parts.append(f"Within what was tested, {counted(clean)} did not depend on the future.")
    if unknown:
        parts.append(f"Undecided, which is not clean: {names(unknown)}.")
    return " ".join([*parts, _features_note(results)]).strip()


def _trust(results: Results) -> str:
    controls = results.controls
    if not controls:
        return (
            "The audit was not put to the test: no control, which leaks on purpose, was among the "
            "variants, so CLEAN is weaker than it reads."
        )
    if not results.audit_trusted:
        missed = [name for name in controls if results.verdicts.get(name) is not Verdict.LEAK]
        return (
            "This audit cannot be trusted: it did not catch the leak planted in "
            f"{names(missed or controls)}. No CLEAN below is an answer."
        )
    return f"The audit caught the leak planted in {names(controls)}. {_where(results, controls[0])}"


def _where(results: Results, name: str) -> str:
    """The witness of the worst leak of a variant, its own or one that all share."""
    shared = [f for s in ("features", "folds") for f in results.findings.get(s, ())]
    worst = worst_leak([*results.findings.get(name, ()), *shared])
    if worst is None:
        return ""
    return f"({worst.test.replace('_', ' ').capitalize()}: {worst.witness or worst.detail}.)"


def worst_leak(findings: Iterable[Finding]) -> Finding | None:
    """The leak that counts with the largest statistic, one with a witness first."""
    leaks = [f for f in findings if f.counts and f.verdict is Verdict.LEAK]
    sized = [f for f in leaks if f.value == f.value] or leaks
    return max(sized, key=lambda f: (f.witness is not None, f.value), default=None)


def _features_note(results: Results) -> str:
    found = [f for f in results.findings.get("features", ()) if f.verdict is not Verdict.CLEAN]
    undecided = [f for f in found if f.verdict is Verdict.UNKNOWN]
    if undecided and overall(found) is Verdict.UNKNOWN:
        reason = undecided[0].detail or undecided[0].evidence
        return f"The making of the features could not be judged: {reason.rstrip('.')}."
    return ""


def worth_it(results: Results) -> str:
    """The best candidate against the best forecaster without an LSTM."""
    references = [name for name in results.references if results.rank_ic(name).known]
    if not references or not results.candidates:
        return "Not asked: no reference forecaster was compared."
    best, rival = results.candidates[0], references[0]
    ours, theirs = results.rank_ic(best), results.rank_ic(rival)
    return (
        f"The best forecaster without an LSTM is {label(rival)}, mean daily rank IC {theirs}; the "
        f"best LSTM, {label(best)}, has {ours}. {_compared(ours, theirs)}"
    )


def _compared(ours: Estimate, theirs: Estimate) -> str:
    if ours.value <= theirs.value:
        return "The LSTM does not beat it."
    if ours.low > theirs.high:
        return "The intervals lie apart: the LSTM forecasts better."
    return "The intervals overlap: the LSTM is not shown to be worth it."


QUESTIONS: Mapping[str, Callable[[Results], str]] = MappingProxyType(
    {
        "Which normalization should the LSTM use?": best_normalization,
        "Does anything see the future?": sees_the_future,
        "Which features carry the forecast?": which_features,
        "Is the LSTM worth it?": worth_it,
    }
)


def counted(keys: list[str]) -> str:
    """A few by name, many by number."""
    return names(keys) if len(keys) <= 3 else f"{len(keys)} variants"


def summary_markdown(results: Results, link: str) -> str:
    """The answers, the ranking with verdicts and a link, for a place that renders Markdown."""
    said = [f"**{q}** {a}\n" for q, a in zip(QUESTIONS, answers(results), strict=True)]
    rows = ["| variant | rank IC [joint interval] | in the set | leak audit |", "|---|---|---|---|"]
    for name in results.ranking.index:
        kept = "yes" if name in results.kept else ""
        cells = (label(name), str(results.rank_ic(name)), kept, results.verdict(name))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*said, *rows, "", f"[Charts of all runs]({link})", ""])
