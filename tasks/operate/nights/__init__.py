"""A night: its checks and scores."""
