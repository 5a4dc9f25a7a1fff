"""`python -m pcmsim`."""

from pcmsim.cli.main import main

if __name__ == "__main__":
    main()
