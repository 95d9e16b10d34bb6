"""Decompose the rank IC of forecasts: by style, single feature, market regime, horizon, delay."""
