"""Experiments: base.py has every setting of reviews, and most others change a few.

Other tasks have all of theirs in forecast.py, intention_series.py, msdp.py and
pretrain.py.
"""
