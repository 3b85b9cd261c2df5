"""`python -m rungwise`: the command line where the script `rungwise` is not on the path."""

from rungwise.interfaces.cli.app import main

if __name__ == "__main__":
    main()
