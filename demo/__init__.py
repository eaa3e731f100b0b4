"""Causeway on this machine in a minute: databases, the proxy, and applications running through it.

    make demo                      or, where the set-up is done:
    python -m demo [--quick] [--plain]

The steps are in `demo.story`, the application in `demo.shop`, what is seen in `demo.view`. The exit code is 0
only if every expectation that the story names has held.
"""
