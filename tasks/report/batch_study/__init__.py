"""Figure and results of the batch-norm study."""
