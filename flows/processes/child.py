"""A command that ends with its parent: ``python -P child.py <command> [argument ...]``.

It makes a process group, so that Ctrl-C in a terminal reaches the parent alone. The parent holds
the other end of this process's standard input. When that end closes, however the parent ended, the
command and everything that it started are asked to end, and killed a few seconds later.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

PATIENCE = 5.0
"""Seconds between asking and killing."""


def main(command: list[str]) -> int:
    """Run ``command`` until it or the standard input ends; returns its exit status."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()  # so that the group that is ended below does not hold the parent
    signal.signal(signal.SIGTERM, lambda *_: None)  # it goes to the whole group: survive it
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=end_with_input, args=[process], daemon=True).start()
    return process.wait()


def end_with_input(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of standard input, then end every process of this group."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    os.killpg(0, signal.SIGKILL)  # processes that the command left behind, and this one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
