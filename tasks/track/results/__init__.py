"""Results in MLflow: one module for each kind of run that is logged."""
