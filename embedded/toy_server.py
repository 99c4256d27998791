"""The toy model behind llama.cpp's own HTTP server, in this process: `python -m embedded.toy_server --port 9203`.

xllamacpp is a wheel for some platforms; `is_there` says whether this is one of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
from pathlib import Path
from typing import NoReturn

FILE = Path(__file__).with_name("toy_model") / "toy.gguf"
MODEL = "toy"
CONTEXT = 512
"""What the model was made for, in tokens."""
AT_ONCE = 4
QUIET = 1
"""Of llama.cpp's log: errors and warnings."""


def is_there() -> bool:
    """Whether the server can run here."""
    return importlib.util.find_spec("xllamacpp") is not None


def main(arguments: list[str] | None = None) -> NoReturn:
    """Serve on loopback until told to stop."""
    parser = argparse.ArgumentParser(description="The demo's toy model, served by llama.cpp.")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    told = (signal.SIGTERM, signal.SIGINT)
    # Before the server's threads begin, which inherit it: the signal is for us to wait for.
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    server = _server(options.port)
    signal.sigwait(told)
    # Not by the server's own end, which waits for whoever holds a connection open; there is nothing to keep.
    os._exit(0 if server else 1)


def _server(port: int) -> object:
    import xllamacpp  # only here: not every platform has it

    asked = xllamacpp.CommonParams()
    asked.model.path = str(FILE)
    asked.model_alias = {MODEL}
    asked.hostnames = ["127.0.0.1"]
    asked.port = port
    asked.n_parallel, asked.n_ctx = AT_ONCE, AT_ONCE * CONTEXT
    asked.n_predict = CONTEXT
    asked.cpuparams.n_threads = 1
    asked.verbosity = QUIET
    # Nothing but the model: no pages, and no web site may call it from somebody's browser.
    asked.ui = asked.endpoint_slots = asked.endpoint_props = False
    asked.cors_origins = "http://127.0.0.1"
    return xllamacpp.Server(asked)


if __name__ == "__main__":
    main()
