"""The comparison report: ranking, figures, text."""
