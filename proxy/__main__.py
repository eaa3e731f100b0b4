"""`python -m proxy` is `causeway`."""

from proxy.cli import main

if __name__ == "__main__":
    main()
