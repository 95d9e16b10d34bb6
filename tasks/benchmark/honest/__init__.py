"""Clean pipelines: an audit that flags one raises a false alarm."""
