"""`python -m scotoma`: the command line, where its script is not on the path.

python -m scotoma doctor
"""

from scotoma.cli import main

if __name__ == "__main__":
    main()
