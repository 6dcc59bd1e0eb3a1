"""Forecast what customers feel and will buy from what they write: BERT and LSTNet in JAX."""

__version__ = "0.1.0"
