"""Searching for pictures: in a pool that is there, or on the web where that is wanted.

>>> from scotoma.images.search.pool import PicturePool
"""
