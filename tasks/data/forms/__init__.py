"""The forms in which tables of prices come, and how each becomes the long table that is read."""
