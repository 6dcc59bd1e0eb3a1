"""Experiments: base.py has every setting, the others change a few."""
