"""A question about variants, answered over several panels: pooled gains, and where variance is."""
