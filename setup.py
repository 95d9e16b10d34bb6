"""The list of packages, and the LSTM kernel in C; everything else is in pyproject.toml."""

import hashlib
import platform
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOMS = ("conf", "flows", "models", "tasks")

KERNEL = "models/native/lstm.c"
OPTIONS = [
    "-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
    "-fno-signed-zeros",
]  # fmt: skip
X86 = {
    "avx512": [
        "-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mfma", "-mprefer-vector-width=512",
    ],
    "avx2": ["-mavx2", "-mfma"],
}  # fmt: skip
BUILDS = {
    "x86_64": X86,
    "amd64": X86,
    "aarch64": {"neon": []},
    "arm64": {"neon": []},
}  # by machine: instruction sets with their options
"""models/native/kernel.py chooses among the instruction sets of the machine."""
PRECISIONS = {"": [], "_double": [("DOUBLE", None)]}  # by the end of the library's name


class Libraries(build_ext):
    """Builds plain shared libraries: they know nothing of Python."""

    def get_ext_filename(self, fullname: str) -> str:
        """``lstm_avx2.so`` on every system, since ctypes loads it by this name."""
        return f"{fullname.replace('.', '/')}.so"

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """No function that initializes a Python module."""
        return list(ext.export_symbols)


def kernels() -> list[Extension]:
    """A library for each instruction set and precision.

    None on Windows, whose compiler lacks vector types.

    They are optional: where one cannot be built, the installation goes on without it.
    """
    builds = {} if platform.system() == "Windows" else BUILDS.get(platform.machine().lower(), {})
    source = hashlib.sha256(
        Path(__file__).with_name("models").joinpath("native/lstm.c").read_bytes()
    )
    return [
        Extension(
            f"foldproof.models.native.lstm_{name}{precision}",
            [KERNEL],
            define_macros=[("SOURCE", f'"{source.hexdigest()[:16]}"'), *macros],
            extra_compile_args=[*OPTIONS, *options],
            optional=True,
        )
        for name, options in builds.items()
        for precision, macros in PRECISIONS.items()
    ]


setup(
    packages=[
        f"foldproof.{name}"
        for room in ROOMS
        for name in (room, *(f"{room}.{inner}" for inner in find_packages(room)))
    ],
    ext_modules=kernels(),
    cmdclass={"build_ext": Libraries},
)
