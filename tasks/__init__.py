"""The steps that the flows chain, in order: data, split, train, attribute, diagnose, compare, report, track."""
