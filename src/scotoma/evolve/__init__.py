"""The spiral: rounds of diagnose → generate → reinforce → examine, in every arm at equal volume.

>>> from scotoma.evolve.settings import EvolveSettings
"""
