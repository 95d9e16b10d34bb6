"""Reference inputs that attributions are taken against."""
