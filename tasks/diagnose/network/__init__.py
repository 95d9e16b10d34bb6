"""Leak tests of a torch module: coupling within a batch, later dates, train and eval mode."""
