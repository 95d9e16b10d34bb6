"""MLflow's server for a set-up of your own, behind a password."""
