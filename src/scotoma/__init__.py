"""Scotoma finds, proves and mends the blind spots of vision-language models.

What other code may build on is in the rooms (`scotoma.core`, `scotoma.discover.loop`, …; the documentation's page
"Python" lists it); importing this package is cheap and pulls in neither torch nor transformers.

>>> import scotoma
>>> scotoma.__version__
'0.1.0'
"""

__version__ = "0.1.0"
