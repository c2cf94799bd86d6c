"""`python -m scotoma.cli`, the same as `scotoma`."""

from scotoma.cli import main

main()
