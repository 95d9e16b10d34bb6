"""What a command prints while it runs and at its end."""
