"""Disks that take no more: how an error says so, wherever in a stage it came from."""

import errno
import os

_FAULTS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO))


def disk_fault(text: str) -> str | None:
    """Returns the system's words for what is wrong with a disk if an error's text holds them, else None.

    The text is looked at, not the type: Beam hands on a worker's error as text.
    """
    return next((fault for fault in _FAULTS if fault in text), None)
