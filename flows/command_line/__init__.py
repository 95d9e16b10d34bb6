"""The commands except compare, audit and explain: their arguments, help and exit statuses."""
