"""``python -m foldproof.flows`` is ``foldproof``."""

from foldproof.flows.cli import main

main()
