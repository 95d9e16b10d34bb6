"""From a forecast back to daily returns: through the features that were made of prices."""
