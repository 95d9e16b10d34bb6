"""Statistical leak tests, with a p-value or for information."""
