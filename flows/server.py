"""The embedded Prefect server: ``python -P server.py <fd> [whole]``, started by flows.api.

It listens on a socket that it was given and lives as long as somebody holds the other end of its
standard input. ``whole`` adds the UI, the scheduler and the other services. What is imported late
is imported late so that the watch stands from the beginning.
"""

import gc
import os
import socket
import sys
import threading


def main(descriptor: int, whole: bool) -> None:
    """Serve on the listening socket ``descriptor``; exit status 3 if the start failed."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    gc.disable()  # a tenth of the imports' time, and there is nothing to collect yet
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=not whole, final=True)
    gc.freeze()
    gc.enable()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    server.run(sockets=[socket.socket(fileno=descriptor)])
    sys.exit(0 if server.started else 3)


def end_with_parent() -> None:
    """Wait for the end of standard input: the parent is gone, however it ended, and so are we.

    At once, even in the middle of setting up the database: every step of that is a transaction.
    """
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] == ["whole"])
