"""A trained unit as files, and scores from raw rows."""
