"""The list of packages; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

ROOMS = ("conf", "flows", "models", "tasks")

setup(
    packages=[
        f"foldproof.{name}"
        for room in ROOMS
        for name in (room, *(f"{room}.{inner}" for inner in find_packages(room)))
    ]
)
