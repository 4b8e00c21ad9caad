"""Files from the network, whole or not at all; imported when one is asked for.

It imports the standard library only, and tqdm, for a progress bar, where it is installed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import nullcontext
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

__all__ = ["Content", "fetch"]

_CHUNK = 1 << 16
_RANGE_NOT_SATISFIABLE = 416


class Content(NamedTuple):
    """What a file must hold: how many bytes, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


def fetch(urls: Sequence[str], path: str, content: Content, timeout: float = 30.0) -> None:
    """Download a file from the first of several addresses that delivers it.

    The bytes gather in ``path + ".part"``, which gets its name when it is complete and its
    checksum is right. What is there already, after an interruption, is not asked for again.

    Args:
        urls: addresses of the same file, tried in order.
        path: where it is to be; its folder is made if need be.
        content: what the file must hold.
        timeout: seconds after which a silent server is given up.

    Raises:
        RuntimeError: if no address delivers the file; it names each, and what went wrong.
        OSError: if the folder cannot be written to.
    """
    part = path + ".part"
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(part, "ab"):
        pass  # what cannot be written to is no fault of the network
    failures = []
    for url in urls:
        try:
            _complete(url, part, content, timeout)
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{url}: {str(error) or type(error).__name__}")
        else:
            os.replace(part, path)
            return
    if not os.path.getsize(part):
        os.remove(part)
    raise RuntimeError("\n  ".join([
        f"could not download {os.path.basename(path)}:", *failures,
        f"Put the file into {os.path.dirname(os.path.abspath(path))} by other means, or call "
        "again: what has arrived is kept, and need not come again"]))


def _sha256(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _complete(url: str, part: str, content: Content, timeout: float) -> None:
    """Make `part` the whole file; raise if this address does not deliver what is missing.

    If old bytes and new ones do not make up the file, all of it is fetched anew.
    """
    if 0 < os.path.getsize(part) < content.size:
        _append(url, part, content.size, timeout)
    if os.path.getsize(part) == content.size and _sha256(part) == content.sha256:
        return
    os.truncate(part, 0)
    _append(url, part, content.size, timeout)
    got = _sha256(part)
    if got != content.sha256:
        os.truncate(part, 0)
        raise ValueError(f"expected SHA-256 {content.sha256}; got {got}")


def _append(url: str, part: str, size: int, timeout: float) -> None:
    """Write what `part` lacks of `size` bytes; all of it if the server cannot send a piece."""
    have = os.path.getsize(part)
    try:
        response = _ask(url, have, timeout)
    except HTTPError as error:
        if not have or error.code != _RANGE_NOT_SATISFIABLE:
            raise
        response = _ask(url, 0, timeout)
    with response:
        piece = response.headers.get("Content-Range")
        if piece is None:
            os.truncate(part, 0)  # here comes the whole file
        elif not piece.startswith(f"bytes {have}-"):
            raise ValueError(f"expected the bytes from {have} on; got {piece!r}")
        _write(response, part, size)
    got = os.path.getsize(part)
    if got > size:
        os.truncate(part, 0)
        raise ValueError(f"expected {size} bytes; got more")
    if got < size:
        raise ConnectionError(f"got only {got} of {size} bytes")


def _ask(url: str, start: int, timeout: float) -> HTTPResponse:
    headers = {"User-Agent": "tinygrad_lite"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urlopen(Request(url, headers=headers), timeout=timeout)


def _write(response: HTTPResponse, part: str, size: int) -> None:
    """Append the body, up to one byte too many, and have it on the disk."""
    with open(part, "ab") as file, _progress(file.tell(), size, part) as bar:
        while chunk := response.read(min(_CHUNK, size + 1 - file.tell())):
            file.write(chunk)
            if bar is not None:
                bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _progress(start: int, size: int, part: str) -> Any:
    """A progress bar, where tqdm is installed and a terminal shows it."""
    try:
        from tqdm import tqdm
    except ImportError:
        return nullcontext()
    return tqdm(initial=start, total=size, unit="B", unit_scale=True, unit_divisor=1024,
                desc=os.path.basename(part).removesuffix(".part"), leave=False, disable=None)
