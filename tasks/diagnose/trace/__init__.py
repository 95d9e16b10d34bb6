"""What a forecaster records of its own stages, and how runs are replayed."""
