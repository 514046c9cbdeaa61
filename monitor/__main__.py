"""`python -m monitor` is the `tripswitch` command."""

from monitor.cli import main

if __name__ == "__main__":
    main()
