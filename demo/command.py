"""The command line of the demo: where it is shown, and how it ends."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time

from rich.console import Console

from demo.databases import prepare
from demo.pace import NORMAL, QUICK, Pace
from demo.screen import Lines, Output, Screen
from demo.story import Story
from devstack.errors import DevstackError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_LOG_WIDTH = 118


def run() -> int:
    """The exit code. KeyboardInterrupt where Ctrl-C comes before or after the story."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Databases, the proxy and two applications on this machine; nothing of it is left behind.",
    )
    parser.add_argument("--quick", action="store_true", help="everything, but short: about 30 seconds")
    parser.add_argument(
        "--plain", action="store_true", help="lines instead of the live picture, as without a terminal"
    )
    arguments = parser.parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    try:
        began = time.monotonic()
        prepare()
        if time.monotonic() - began > 3:
            console.print(
                f"Built what is needed once, in {time.monotonic() - began:.0f} s; it is kept for the next time."
            )
    except DevstackError as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_FAILED
    live = console.is_terminal and not console.is_dumb_terminal and not arguments.plain
    return asyncio.run(_demo(QUICK if arguments.quick else NORMAL, console, live=live))


async def _demo(pace: Pace, console: Console, *, live: bool) -> int:
    story = Story(pace)
    output: Output = Screen(story.state, console) if live else Lines(story.state, console)
    story.changed = output.changed
    telling = asyncio.create_task(story.run())
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        """Once in order; a second time at once, and the wardens end what was started."""
        telling.cancel()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        with output:
            showing = asyncio.create_task(output.keep_current())
            await asyncio.wait({telling, showing}, return_when=asyncio.FIRST_COMPLETED)
            showing.cancel()
    finally:
        telling.cancel()
        await asyncio.wait({telling})
    if not telling.cancelled():
        telling.result()
    output.finish()
    if telling.cancelled():
        return EXIT_INTERRUPTED
    return EXIT_OK if story.state.success else EXIT_FAILED
