"""Training samples aimed at failure modes: made, checked and counted.

>>> from scotoma.generate.pipeline import targeted_samples, uniform_samples
"""
