"""A command that ends with whoever started it: ``python -P child.py <command> [argument ...]``.

It makes a process group of its own, so that Ctrl-C in a terminal reaches its starter alone. The
starter holds the other end of this process's standard input: when that closes, however the starter
ended, the command and all that it started are told to end, and killed if they have not after
seconds.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

PATIENCE = 5.0
"""Seconds between telling and killing."""


def main(command: list[str]) -> int:
    """Run ``command`` to its end, or to the end of standard input; its exit status."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()  # what is ended below must not be the starter
    signal.signal(signal.SIGTERM, lambda *_: None)  # sent to the whole group: outlive the others
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=end_with_input, args=[process], daemon=True).start()
    return process.wait()


def end_with_input(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of standard input, then end everything in this group."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    os.killpg(0, signal.SIGKILL)  # what the command left behind, and this process


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
