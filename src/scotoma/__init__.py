"""Scotoma finds, proves and mends the blind spots of vision-language models.

The public names live in the rooms (`scotoma.core`, `scotoma.discover`, …); importing this package is cheap and
pulls in neither torch nor transformers.

>>> import scotoma
>>> scotoma.__version__
'0.1.0'
"""

__version__ = "0.1.0"
