"""The stages that a forecaster records, and runs that are compared by them."""
