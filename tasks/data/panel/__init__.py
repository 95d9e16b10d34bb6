"""The dense panel: its arrays, their cache on disk, and how it is made from rows."""

from foldproof.tasks.data.panel.panel import Panel, build, load

__all__ = ["Panel", "build", "load"]
