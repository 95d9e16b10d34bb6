"""The presets and the one typed description of an experiment."""
