"""The four answers of the report. Each follows from one rule, which the page states once.

A variant is the best if the model confidence set holds no other. It shows skill if the joint
interval of its mean daily rank IC lies above zero.
"""

from collections.abc import Callable, Mapping

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.diagnose.findings.sheet import title_of
from foldproof.tasks.markdown import escaped, markdown_table
from foldproof.tasks.report.answer import Answer
from foldproof.tasks.report.attribution.answer import which_features
from foldproof.tasks.report.audit.text import most_telling, witness_text
from foldproof.tasks.report.decomposition.rows import neutral_clause
from foldproof.tasks.report.portfolio.table import pays_clause
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import counted, in_sentence, label, names


def answers(results: Results) -> list[Answer]:
    """One answer per question of ``QUESTIONS``, in the same order."""
    return [answer(results) for answer in QUESTIONS.values()]


def best_normalization(results: Results) -> Answer:
    """Which variant is the best, and whether it shows skill."""
    candidates, kept = results.candidates, results.kept
    if not candidates:
        return Answer(
            "Nothing to recommend: every variant leaks.",
            "A variant that sees the future is not a candidate, however high its rank IC.",
        )
    best = (kept or candidates)[0]
    skilled = results.rank_ic(best).low > 0
    highest = "highest " if best == candidates[0] else ""
    lies = "lies above zero" if skilled else "does not lie above zero"
    smallest = results.detectable
    power = (
        f", and gains over {label(results.base)} below {smallest:.3f} are too small to detect"
        if smallest == smallest
        else ""
    )
    return Answer(
        _choice(results, best, skilled),
        f"The {highest}mean daily rank IC is {results.rank_ic(best)} for {label(best)}; its joint "
        f"interval {lies}{power}.",
    )


def _choice(results: Results, best: str, skilled: bool) -> str:
    among, kept = len(results.candidates), len(results.kept)
    if among == 1:
        only = f"The only candidate is {label(best)}"
        return f"{only}, and it shows skill." if skilled else f"{only}; it shows no skill."
    if not kept:
        return "Nothing to recommend: leaking variants outperform all candidates."
    if kept == 1:
        return f"Use {label(best)}." if skilled else f"Best is {label(best)}, but without skill."
    if not skilled:
        return f"No winner among {kept} candidates, and no skill."
    return f"No clear winner: {kept} of {among} candidates may be the best."


def sees_the_future(results: Results) -> Answer:
    """Whether the audit works, what leaks, and what stays undecided."""
    if not any(results.findings.values()):
        return Answer("Not tested: the leak audit did not run.", "Nothing is known about leaks.")
    controls = results.controls
    if controls and not results.audit_trusted:
        missed = [name for name in controls if results.verdicts.get(name) is not Verdict.LEAK]
        return Answer(
            "Unknown: the audit missed a planted leak.",
            f"It did not detect the leak planted in {names(missed or controls)}, so CLEAN means "
            "nothing here.",
        )
    return Answer(_found(results), _proof(results))


def _found(results: Results) -> str:
    """How many variants leak, are clean or undecided; planted controls aside."""
    others = [name for name in results.variants if not results.is_control(name)]
    leaking, unknown, clean = (
        [name for name in others if results.verdicts.get(name) is verdict] for verdict in Verdict
    )
    if leaking:
        return f"Yes: {len(leaking)} of {counted(len(others), 'variant')} leak."
    parts = [f"No leak found in {counted(len(clean), 'variant')}"] if clean else []
    parts += [f"{len(unknown)} undecided"] if unknown else []
    if any(f.verdict is Verdict.UNKNOWN for f in results.findings.get("features", ())):
        parts.append("features not tested")
    return f"{'; '.join(parts) or 'Not tested'}.".capitalize()


def _proof(results: Results) -> str:
    """The leak found, the planted leak that was detected, or that nothing was planted."""
    others = [name for name in results.variants if not results.is_control(name)]
    leaking = [name for name in others if results.verdicts.get(name) is Verdict.LEAK]
    shown = [*leaking, *results.controls]
    if not shown:
        return (
            "No control (a variant that leaks on purpose) was compared, so it is not shown that "
            "the audit detects leaks."
        )
    shared = [f for s in ("features", "folds") for f in results.findings.get(s, ())]
    found = [*results.findings.get(shown[0], ()), *shared]
    worst = most_telling(f for f in found if f.counts and f.verdict is Verdict.LEAK)
    leak = f"leak in {label(shown[0])}" if leaking else f"leak planted in {label(shown[0])}"
    if worst is None:
        return f"The audit detected the {leak}."
    return f"The {leak} shows in the test {title_of(worst.test).lower()}: {witness_text(worst)}."


def worth_it(results: Results) -> Answer:
    """The best candidate against the best forecaster without an LSTM."""
    if not results.references:
        return Answer(
            "Not asked: no reference forecaster was compared.",
            "References are set in the configuration under references.",
        )
    rivals = [name for name in results.references if results.rank_ic(name).known]
    if not rivals:
        return Answer(
            "Not answered: no reference forecaster has a rank IC.",
            f"Equal forecasts for all symbols cannot be ranked: {names(results.references)}.",
        )
    rival = rivals[0]
    theirs = results.rank_ic(rival)
    if not results.candidates:
        return Answer(
            "Not answered: every variant leaks.",
            f"The best forecaster without an LSTM is {in_sentence(rival)}, with mean daily rank IC "
            f"{theirs}.",
        )
    best = results.candidates[0]
    ours = results.rank_ic(best)
    if ours.value <= theirs.value:
        verdict = f"No: the LSTM does not beat {in_sentence(rival)}."
    elif not ours.low > 0:
        verdict = "No: the LSTM shows no skill."
    elif ours.low > theirs.high:
        verdict = f"Yes: the LSTM beats {in_sentence(rival)}."
    else:
        verdict = f"Not shown: the lead over {in_sentence(rival)} may be chance."
    return Answer(
        verdict,
        f"Mean daily rank IC is {ours} for the best LSTM ({label(best)}) and {theirs} for "
        f"{in_sentence(rival)}, the best forecaster without an LSTM{neutral_clause(results)}"
        f"{pays_clause(results)}.",
    )


QUESTIONS: Mapping[str, Callable[[Results], Answer]] = {
    "Which normalization should the LSTM use?": best_normalization,
    "Does anything see the future?": sees_the_future,
    "Which features carry the forecast?": which_features,
    "Is the LSTM worth it?": worth_it,
}


def summary_markdown(results: Results, link: str) -> str:
    """The answers, the ranking with verdicts and a link, as Markdown for MLflow and Prefect."""
    said = [
        f"**{question}** {escaped(answer.verdict)}\n\n{escaped(answer.evidence)}\n"
        for question, answer in zip(QUESTIONS, answers(results), strict=True)
    ]
    said += [f"{results.left_out}\n"] if results.missing else []
    said += [f"{escaped(results.other_targets)}\n"] if results.other_targets else []
    kept = dict.fromkeys(results.kept, "yes")
    rows = [
        (label(name), str(results.rank_ic(name)), kept.get(name, ""), results.verdict(name))
        for name in results.ranking.index
    ]
    head = ("variant", "rank IC [joint interval]", "may be the best", "leak audit")
    return "\n".join([*said, markdown_table(head, rows), f"[Charts of all runs]({link})", ""])
