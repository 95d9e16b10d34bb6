import re
from dataclasses import replace
from html.parser import HTMLParser

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report.comparison.answers import answers
from foldproof.tasks.report.comparison.page import FORMS, not_clean, page_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from tests.tasks.report.example import blind, without

VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Fails on tags that do not nest; gathers text and addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [str(value) for key, value in attrs if key in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", "".join(Outline(page).text))


def test_page_is_self_contained(report: Report) -> None:
    addresses = Outline(report.page).addresses
    assert report.page.count("<svg ") == len(report.figures)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert "@import" not in report.page
    assert not re.search(r"url\((?!#)", report.page)


def test_answers_come_before_everything_else(results: Results, report: Report) -> None:
    text = words(report.page)
    places = [text.index(part) for answer in answers(results) for part in answer]
    assert places == sorted(places)
    assert places[-1] < text.index("Which normalization forecasts best")


def test_page_identifies_data_plan_code_and_engine(results: Results, report: Report) -> None:
    text = words(report.page)
    for fact in (
        results.plan,
        results.code_version,
        results.engine,
        results.panel_summary["fingerprint"],
        "survivors",
        "testing and example purposes",
        "2003-02-18 MSFT 48.30 to 24.96; 2003-06-10 DF 45.63 to 30.42",
        "11 % of daily returns are exactly zero",
        "train: 756",
        "512.4 s",
    ):
        assert str(fact) in text


def test_page_says_which_seeds_are_audited(results: Results) -> None:
    says = "The networks of the first seed are audited"
    assert says in words(page_of(results, {}))
    one = replace(results, config={**results.config, "seeds": (0,)})
    assert says not in words(page_of(one, {}))


def test_every_column_and_row_of_the_ranking_is_there(results: Results, report: Report) -> None:
    text = words(report.page)
    heads = re.search(r'<table class="ranking">(.+?)</thead>', report.page, re.DOTALL)
    assert heads is not None
    titles = re.findall(r'<th title=".{20,}?">(.+?)</th>', heads[1], re.DOTALL)
    shown = [key for key in FORMS if key in results.ranking]  # one seed: no column over seeds
    assert len(titles) == len(shown) + 4
    assert all(f"<dt>{title}</dt>" in report.page for title in titles)
    for name in results.ranking.index:
        assert str(results.rank_ic(name)) in text


def test_banner_only_when_the_audit_cannot_be_trusted(results: Results, report: Report) -> None:
    assert 'role="alert"' not in report.page
    page = page_of(blind(results), {})
    assert 'role="alert"' in page
    assert "it missed a planted leak (full_sample_zscore)" in words(page)


def test_banner_for_an_audit_without_control(results: Results) -> None:
    honest = without(results, "full_sample_zscore")
    page = page_of(replace(honest, audit_trusted=False), {})
    assert "it is not shown that the leak audit detects leaks" in words(page)


def test_data_cannot_write_markup(results: Results) -> None:
    hostile = replace(results, title="<script>alert(1)</script>", config_yaml="</pre><b>x")
    page = page_of(hostile, {})
    assert "<script>" not in page
    assert "</pre><b>" not in page


def test_findings_of_one_test_are_one_entry(results: Results) -> None:
    entries = not_clean(results)
    leaks = [(s, f.test, n) for s, f, n in entries if f.verdict is Verdict.LEAK and f.counts]
    assert leaks == [
        ("full_sample_zscore", "serve_invariance", 2),
        ("full_sample_zscore", "train_invariance", 2),
    ]
    assert max(f.value for s, f, _ in entries if s == "full_sample_zscore") == 4.7
    assert all(f.verdict is not Verdict.CLEAN for _, f, _ in entries)


def test_page_without_audit_and_attribution(results: Results) -> None:
    text = words(page_of(replace(results, findings={}), {}))
    assert "nothing is known about leaks" in text
    assert "No attribution was computed" in text
