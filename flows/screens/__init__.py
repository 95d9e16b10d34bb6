"""The text that commands print while they run and at their end."""
