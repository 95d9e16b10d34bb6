"""Names that broke something once, and any others, for the tests of what is shown and logged."""

from hypothesis import strategies as st

# ruff: noqa: E501  # CJK letters count twice
NASTY = (
    "Ref($close,5)/$close", "$close^$open", r"a$\b$", "$$", "动量", "反转", "ret:1", "ret;1", "a//b",
    "x/", "../y", ".", "..", "/", "a|b", "<script>alert(1)</script>", "![x](http://x.y/z)", "*a*_b_",
    "`code`", "# head", "1. one", "- item", "&lt;", "a\\b", "~~gone~~", "עברית", "مومنتم", "_hidden",
    "🙂", "e\N{COMBINING ACUTE ACCENT}", "x" * 300, "x" * 299 + "y", 'quo"te\'s', "{{ 7 * 7 }}",
    'href="#a"', "a b  c", "]]>", "<!--", "url(#p)",
)  # fmt: skip

any_name = st.text(st.characters().filter(str.isprintable), min_size=1, max_size=40)
"""Any name that the data room lets in: all of Unicode without invisible characters."""
