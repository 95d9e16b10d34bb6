"""A trained network as a function with gradients."""
