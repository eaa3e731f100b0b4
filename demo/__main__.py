"""`python -m demo`. Ctrl-C ends it at any moment, while it is still being imported too."""

from __future__ import annotations

import sys


def main() -> int:
    try:
        from demo.command import run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
