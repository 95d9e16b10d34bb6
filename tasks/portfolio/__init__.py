"""What portfolios by forecast would have earned: a diagnostic, not a backtest of a strategy."""
