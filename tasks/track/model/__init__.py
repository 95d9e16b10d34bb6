"""Models in MLflow: files, registry, and the code that serves them."""
