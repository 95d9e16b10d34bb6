"""The audit under audit: planted leaks and clean controls of known truth."""
