"""Compare forecasts on the same cells, with joint intervals valid under overlapping labels."""
