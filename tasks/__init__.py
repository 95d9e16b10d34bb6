"""The steps that the flows chain, from data to track, in the order of the layer test."""
