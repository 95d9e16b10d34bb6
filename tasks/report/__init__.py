"""Reports of comparisons and audits: HTML pages, figures and text."""
