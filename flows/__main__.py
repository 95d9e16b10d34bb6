"""``python -m flows`` is ``foldproof``."""

from flows.cli import main

main()
