"""Forecast what customers feel and will buy from what they write, in JAX."""

__version__ = "0.1.0"
