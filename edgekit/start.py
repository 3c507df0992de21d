"""Where the command begins: until the command line has been loaded, a signal ends the process at once and quietly.

It imports next to nothing, so that there is hardly a moment in which Python would answer Ctrl-C with a traceback.
"""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Load and run the command line."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
            signal.signal(number, lambda received, _: os._exit(128 + received))  # nothing has been made yet
    from edgekit.cli import main as run

    run()
