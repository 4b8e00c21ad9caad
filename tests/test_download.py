"""The downloader, against a server of its own on this machine; no real one is asked."""

import hashlib
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from tinygrad_lite.data.download import Content, fetch

BODY = np.random.default_rng(0).bytes(200_001)  # several chunks, and a piece of one
WRONG = BODY[:-1] + b"?"
CONTENT = Content(len(BODY), hashlib.sha256(BODY).hexdigest())
HALF = 100_000


class Handler(BaseHTTPRequestHandler):
    """Serves BODY; the path says what goes wrong."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked, self.headers["User-Agent"]))
        getattr(self, self.path.split("/")[1])(asked)

    def answer(self, body, code=200, length=None, **headers):
        """Send a body; close the connection early if `length` promises more."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length != "chunked":
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def whole(self, asked, body=BODY):
        if asked is None:
            return self.answer(body)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return self.answer(b"", 416, Content_Range=f"bytes */{len(body)}")
        return self.answer(body[start:], 206,
                           Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")

    def ignores_range(self, _):
        self.answer(BODY)

    def refuses_range(self, asked):
        self.answer(b"" if asked else BODY, 416 if asked else 200)

    def another_range(self, _):
        self.answer(BODY[1:], 206, Content_Range="bytes 1-200000/200001")

    def breaks_off(self, _):
        self.answer(BODY[:HALF], length=len(BODY))

    def breaks_off_chunked(self, _):
        self.answer(b"%x\r\n%b\r\nff\r\n" % (HALF, BODY[:HALF]), length="chunked",
                    Transfer_Encoding="chunked")

    def chunked(self, _):
        self.answer(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), length="chunked",
                    Transfer_Encoding="chunked")

    def wrong(self, asked):
        self.whole(asked, WRONG)

    def short(self, _):
        self.answer(b"<html>pay for the network first</html>")

    def long(self, _):
        self.answer(BODY + b"!" * 100_000)

    def moved(self, _):
        self.answer(b"", 302, Location="/whole/file.gz")

    def forbidden(self, _):
        self.answer(b"no", 403)

    def absent(self, _):
        self.answer(b"nothing here", 404)

    def silent(self, _):
        self.server.over.wait(20)

    def garbled(self, _):
        self.wfile.write(b"what?\r\n\r\n")
        self.close_connection = True

    def hangs_up(self, _):
        self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        server.over = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def get(server, tmp_path, monkeypatch):
    """get("whole", ...) fetches from these servers in order; what it wrote and was asked."""
    monkeypatch.setenv("no_proxy", "*")
    server.seen.clear()

    def get(*kinds, part=None, content=CONTENT, timeout=10):
        path = tmp_path / "deep" / "file.gz"
        if part is not None:
            path.parent.mkdir()
            path.with_name("file.gz.part").write_bytes(part)
        fetch([address(kind) for kind in kinds], str(path), content, timeout)

    def address(kind):
        host = f"http://127.0.0.1:{server.server_port}"
        return kind if "://" in kind else f"{host}/{kind}/file.gz"

    return SimpleNamespace(
        it=get, seen=server.seen, path=tmp_path / "deep" / "file.gz",
        part=tmp_path / "deep" / "file.gz.part")


def refused():
    """An address of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/file.gz"


# ---- it arrives ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["whole", "chunked", "moved", "ignores_range"])
def test_a_new_file(get, kind):
    get.it(kind)
    assert get.path.read_bytes() == BODY
    assert os.listdir(get.path.parent) == ["file.gz"]
    assert get.seen[0][1:] == (None, "tinygrad_lite")


@pytest.mark.parametrize(("kind", "part", "ranges"), [
    ("whole", BODY[:HALF], ["bytes=100000-"]),
    ("whole", BODY[:1], ["bytes=1-"]),
    ("whole", BODY[:-1], ["bytes=200000-"]),
    ("whole", b"", [None]),
    ("whole", BODY, []),                                 # stopped just before it was named
    ("whole", WRONG, [None]),
    ("whole", BODY + b"!", [None]),
    ("whole", bytes(HALF), ["bytes=100000-", None]),     # the beginning was of another file
    ("ignores_range", BODY[:HALF], ["bytes=100000-"]),
    ("ignores_range", bytes(HALF), ["bytes=100000-"]),
    ("refuses_range", BODY[:HALF], ["bytes=100000-", None]),
])
def test_going_on_after_an_interruption(get, kind, part, ranges):
    get.it(kind, part=part)
    assert get.path.read_bytes() == BODY
    assert not get.part.exists()
    assert [asked for _, asked, _ in get.seen] == ranges


@pytest.mark.parametrize("first", [
    "absent", "forbidden", "wrong", "short", "long", "breaks_off", "breaks_off_chunked",
    "another_range", "garbled", "hangs_up", refused(), "nonsense://host/file.gz",
])
def test_the_next_mirror(get, first):
    get.it(first, "whole")
    assert get.path.read_bytes() == BODY
    assert not get.part.exists()


def test_the_next_mirror_goes_on_where_the_first_broke_off(get):
    get.it("breaks_off", "whole")
    assert [asked for _, asked, _ in get.seen] == [None, "bytes=100000-"]


def test_an_old_file_is_replaced_only_by_a_whole_one(get):
    get.path.parent.mkdir()
    get.path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="could not download"):
        get.it("breaks_off")
    assert get.path.read_bytes() == b"old"
    get.it("whole")
    assert get.path.read_bytes() == BODY


def test_a_local_folder_as_mirror(get, tmp_path):
    (tmp_path / "copy.gz").write_bytes(BODY)
    get.it((tmp_path / "copy.gz").as_uri(), part=BODY[:HALF])
    assert get.path.read_bytes() == BODY


# ---- it does not -----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "reason", "kept"), [
    ("absent", "HTTP Error 404", None),
    ("forbidden", "HTTP Error 403", None),
    ("wrong", f"expected SHA-256 {CONTENT.sha256}; got [0-9a-f]{{64}}", None),
    ("short", "got only 38 of 200001 bytes", 38),
    ("long", "expected 200001 bytes; got more", None),
    ("breaks_off", "got only 100000 of 200001 bytes", 100_000),
    ("breaks_off_chunked", "IncompleteRead", 65_536),
    ("another_range", "expected the bytes from 0 on; got 'bytes 1-200000/200001'", None),
    ("garbled", "what?", None),
    ("hangs_up", "closed connection without response|reset by peer", None),
    (refused(), "Connection refused|actively refused", None),
    ("nonsense://host/file.gz", "unknown url type", None),
])
def test_nothing_but_an_error(get, kind, reason, kept):
    with pytest.raises(RuntimeError, match=reason) as info:
        get.it(kind)
    assert "could not download file.gz:\n" in str(info.value)
    assert f"Put the file into {get.path.parent} by other means" in str(info.value)
    assert not get.path.exists()
    assert (get.part.stat().st_size if get.part.exists() else None) == kept


def test_every_mirror_is_named_with_its_reason(get):
    with pytest.raises(RuntimeError) as info:
        get.it("absent", "forbidden", refused())
    lines = str(info.value).splitlines()
    assert ["/absent/file.gz: HTTP Error 404" in lines[1],
            "/forbidden/file.gz: HTTP Error 403" in lines[2],
            "refused" in lines[3], len(lines)] == [True, True, True, 5]


def test_a_wrong_piece_leaves_what_has_arrived(get):
    with pytest.raises(RuntimeError, match="expected the bytes from 100000 on; got"):
        get.it("another_range", part=BODY[:HALF])
    assert get.part.read_bytes() == BODY[:HALF]


def test_a_silent_server_is_given_up(get):
    with pytest.raises(RuntimeError, match="timed out"):
        get.it("silent", timeout=0.1)


def test_what_a_failure_keeps_is_used_later(get):
    with pytest.raises(RuntimeError):
        get.it("breaks_off", "absent")
    assert get.part.read_bytes() == BODY[:HALF]
    get.it("whole")
    assert get.path.read_bytes() == BODY
    assert get.seen[-1][1] == "bytes=100000-"


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        fetch([refused()], str(tmp_path / "file" / "file.gz"), CONTENT)


def test_an_interrupt_passes_through(get, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get.it("whole")
    monkeypatch.undo()
    assert not get.path.exists()
    assert get.part.read_bytes() == BODY


# ---- how far it is ---------------------------------------------------------------------


@pytest.mark.parametrize(("part", "start"), [(None, 0), (BODY[:HALF], HALF)])
def test_progress(get, monkeypatch, part, start):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options = options
            self.done = options["initial"]
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.closed = True

        def update(self, n):
            self.done += n

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=Bar))
    get.it("whole", part=part)
    (bar,) = bars
    assert bar.options["initial"] == start
    assert bar.options["total"] == bar.done == len(BODY)
    assert bar.options["desc"] == "file.gz"
    assert bar.closed


def test_without_tqdm(get, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    get.it("whole")
    assert get.path.read_bytes() == BODY
    assert capfd.readouterr() == ("", "")


def test_with_tqdm_but_no_terminal(get, capfd):
    pytest.importorskip("tqdm")
    get.it("whole")
    assert capfd.readouterr() == ("", "")
