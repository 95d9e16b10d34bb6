"""How to start a program of this Python environment from the user's shell."""

import re
import shlex
import shutil
import sys
from pathlib import Path


def program(name: str, module: str) -> str:
    """The command as the user can type it in the working directory.

    The bare name works only where the environment is activated, and ``make`` activates none. So it
    is the name if the shell finds this environment's script, else the path of that script, else
    ``python -m module``.
    """
    script = Path(sys.executable).with_name(name)
    if not script.is_file():
        return shlex.join([sys.executable, "-m", module])
    if shutil.which(name) == str(script):
        return name
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


MODULES = {"foldproof": "foldproof.flows", "pip": "pip"}
"""Programs that messages ask the user to run, and their modules."""
ASKED = re.compile(rf"\brun ({'|'.join(MODULES)})(?= [a-z])")


def runnable(message: str) -> str:
    """The message with its commands, such as ``run foldproof sync``, as the user can type them."""
    return ASKED.sub(lambda found: f"run {program(found[1], MODULES[found[1]])}", message)
