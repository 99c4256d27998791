"""Memory of the programs that hold whole documents: workers and agents."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Have Python look for garbage in cycles a hundred times less often than it does by itself.

    A run makes a hundred thousand objects and hardly a cycle. By default the collector looks after every 700 of
    them, again and again through all that the process holds: that took a third of a push at 10,000 keys.
    """
    gc.set_threshold(50_000, 20, 100)
