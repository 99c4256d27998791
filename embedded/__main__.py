"""`python -m embedded run | test | exec | reset`."""

from __future__ import annotations

import argparse
import sys

from embedded import running
from embedded.console import Console
from embedded.failure import CannotRun
from embedded.installation import environment_of_this_process
from embedded.layout import layout_of


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 when something stands in the way (it is said what), or that of the tests."""
    options = _parse(arguments)
    console = Console()
    try:
        return _do(options, console)
    except CannotRun as error:
        console.say(str(error), tone="bad")
        return 1
    except KeyboardInterrupt:
        return 130


def _do(options: argparse.Namespace, console: Console) -> int:
    given = environment_of_this_process()
    if options.command == "test":
        return running.run_tests(given, options.words, console, bare=options.bare)
    layout = layout_of(given)
    if options.command == "run":
        return running.run(layout, given, console)
    if options.command == "exec":
        return running.execute(layout, given, options.words)
    return running.reset(layout, console)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m embedded", description="Gatehouse on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything and keep it running")
    test = commands.add_parser("test", help="run WORDS beside scratch servers")
    test.add_argument("--bare", action="store_true", help="without static files, which only pages need")
    inside = commands.add_parser("exec", help="run WORDS with the environment of the running system")
    for parser_with_words in (test, inside):
        parser_with_words.add_argument("words", nargs="+", metavar="WORDS")
    commands.add_parser("reset", help="drop all data")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
