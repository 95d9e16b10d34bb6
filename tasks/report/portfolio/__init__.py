"""What portfolios by forecast would have earned, in the comparison report."""
