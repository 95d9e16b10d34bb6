"""What the forecasts are made of, in the comparison report."""
