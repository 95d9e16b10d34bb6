"""Memory settings of the process that make training on the CPU about twice as fast."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameter numbers of glibc's mallopt (malloc.h)."""


def keep_activations_mapped() -> bool:
    """Let glibc keep freed memory, so that each step reuses pages instead of zeroing new ones.

    By default each large activation is a new mapping, and page faults take half of an LSTM's
    training time. Results do not change by a bit. Call it before threads start: it applies to
    the whole process, which keeps some tens of megabytes more.

    Returns:
        Whether it took effect; False if the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    settings = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: 2**31 - 1, M_ARENA_MAX: 1}
    return all(libc.mallopt(name, value) == 1 for name, value in settings.items())
