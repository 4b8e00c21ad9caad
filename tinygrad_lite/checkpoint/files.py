"""Files that are there whole or not at all; it imports the standard library only."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

__all__ = ["write"]

_HOUR = 3600


def write(path: str, data: bytes | memoryview) -> None:
    """Create a file or replace it, whole or not at all, and wait until the disk has it.

    Whoever looks at `path`, even after a loss of power, finds the old file or the new one.
    A symbolic link stays, and the file that it points to is replaced.

    The content goes to a temporary file in the same folder first, `.name.<16 digits>.tmp`. A
    process that is killed leaves that behind; the next write to `path` removes it, once it
    is an hour old and so surely nobody's.

    Raises:
        OSError: if that does not work, or `path` is a folder or a device; the old file stays.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path!r}: there is no folder "
                                f"'{target.parent}'; make it first")
    if target.exists() and not target.is_file():
        raise OSError(f"cannot save to {path!r}: it is a folder or a device")
    _sweep(target)
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            if target.exists():
                temporary.chmod(S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sweep(target: Path) -> None:
    """Remove what processes left behind that were killed while they wrote the target."""
    start, end = f".{target.name}.", ".tmp"
    for entry in os.listdir(target.parent):
        if not (entry.startswith(start) and entry.endswith(end)):
            continue
        with suppress(OSError):  # somebody else was faster, or owns it
            left = target.with_name(entry)
            if time.time() - left.stat().st_mtime > _HOUR:
                left.unlink()


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's new entry; Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
