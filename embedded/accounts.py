"""An unprivileged account for a server that refuses to run as root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from embedded.failure import CannotRun

LAST_SYSTEM_UID = 999
NOBODY = 65_534


@dataclass(frozen=True, slots=True)
class Account:
    """Who a process runs as. The name must be known to the system: initdb asks for it."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """None for an ordinary user, who needs none; for root an account that may do nothing else.

    `nobody` where there is one, then system accounts from the highest number down. In a container with few
    user ids most cannot be entered, so each is tried. Raises CannotRun when none can.
    """
    if os.getuid() != 0:
        return None
    entries = sorted(pwd.getpwall(), key=lambda entry: (entry.pw_name != "nobody", -entry.pw_uid))
    for entry in entries:
        if (0 < entry.pw_uid <= LAST_SYSTEM_UID or entry.pw_uid == NOBODY) and _can_become(entry):
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise CannotRun(
        "PostgreSQL refuses to run as root, and no other account can be used here. "
        "Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours."
    )


def _can_become(entry: pwd.struct_passwd) -> bool:
    """Whether a child process can change to the account."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
