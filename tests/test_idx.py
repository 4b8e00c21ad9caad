"""The reader of IDX files: what it reads, and what it refuses."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from tinygrad_lite.data import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    """The array in the IDX format, written from its description."""
    code = CODES[array.dtype.str[1:]]
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) \
        + big_endian.tobytes()


PLAIN = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))
PACKED = gzip.compress(PLAIN)


@pytest.fixture
def read(tmp_path):
    """read(bytes) is what read_idx makes of a file of these bytes."""
    def read(content, name="numbers"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_idx(path)

    return read


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (3, 2, 2), (1, 1, 1, 7), (0,), (0, 28, 28), (),
                                   (2,) * 9])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_it_reads_what_was_written(read, dtype, shape, pack):
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)
    got = read(pack(idx_bytes(array)))
    assert got.dtype == np.dtype(dtype)
    assert got.dtype.isnative
    assert got.shape == shape
    assert np.array_equal(got, array)


def test_the_bytes_decide_not_the_name(read):
    assert np.array_equal(read(PACKED, "labels"), read(PLAIN, "labels.gz"))


def test_a_path_may_be_a_string(read, tmp_path):
    expected = read(PLAIN)
    assert np.array_equal(read_idx(str(tmp_path / "numbers")), expected)


def test_the_array_belongs_to_the_caller(read):
    array = read(PLAIN)
    array += 1
    assert array[0, 0] == 1


def test_packed_in_several_members(read):
    assert read(gzip.compress(PLAIN[:7]) + gzip.compress(PLAIN[7:])).shape == (3, 4)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "begins with the bytes 00 00, .*; got an empty file"),
    (b"\0\0", "got 00 00"),
    (PLAIN[:3], "got 00 00 08"),
    (b"\1" + PLAIN[1:], "got 01 00 08 02"),
    (b"\0\1" + PLAIN[2:], "got 00 01 08 02"),
    (b"\0\0\x0a" + PLAIN[3:], r"a dtype \(one of 08 09 0b 0c 0d 0e\) .*; got 00 00 0a 02"),
    (b"\0\0\x08\xff" + PLAIN[4:], "got 00 00 08 ff"),
    (b"<!DOCTYPE html>", "got 3c 21 44 4f"),
    (PLAIN[:4], "expected 8 bytes for the lengths of 2 axes; got 0"),
    (PLAIN[:11], "expected 8 bytes for the lengths of 2 axes; got 7"),
    (PLAIN[:12], r"expected 12 bytes of numbers, for shape \(3, 4\) and uint8; got 0"),
    (PLAIN[:-1], "expected 12 bytes of numbers, .*; got 11"),
    (PLAIN + b"\0", "expected 12 bytes of numbers, .*; got more"),
    (PLAIN * 1000, "expected 12 bytes of numbers, .*; got more"),
    (b"\0\0\x0e\1\0\0\0\2" + bytes(15), r"expected 16 bytes .* \(2,\) and float64; got 15"),
    (gzip.compress(b""), "got an empty file"),
    (gzip.compress(PLAIN[:-1]), "expected 12 bytes of numbers, .*; got 11"),
    (gzip.compress(PLAIN + b"\0"), "expected 12 bytes of numbers, .*; got more"),
    (PACKED[:2], "expected a whole gzip file; got a damaged or truncated one"),
    (PACKED[:15], "expected a whole gzip file; got a damaged or truncated one"),
    (PACKED[:-9], "expected a whole gzip file; got a damaged or truncated one"),
    (PACKED[:-1], "expected a whole gzip file; got a damaged or truncated one"),
    (PACKED[:-8] + bytes(4) + PACKED[-4:], "a damaged .*CRC check failed"),
    (PACKED[:-4] + bytes(4), "a damaged .*Incorrect length"),
    (PACKED + b"rubbish", "a damaged .*Not a gzipped file"),
    (PACKED[:2] + b"\xff" + PACKED[3:], "a damaged .*Unknown compression method"),
])
def test_it_refuses(read, tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as info:
        read(content)
    assert str(info.value).startswith(str(tmp_path / "numbers"))


@pytest.mark.parametrize("at", range(0, len(PACKED), 3))
def test_a_flipped_byte_never_passes_in_silence(read, at):
    """The checksum covers the numbers; the bytes of the name and the time it does not."""
    damaged = bytearray(PACKED)
    damaged[at] ^= 0x55
    try:
        array = read(bytes(damaged))
    except ValueError:
        return
    assert np.array_equal(array, np.arange(12).reshape(3, 4))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_header_that_lies_takes_no_memory(read, pack):
    huge = bytes([0, 0, 0x0E, 3]) + b"\xff" * 12
    tracemalloc.start()
    with pytest.raises(ValueError, match="expected 633825299.* bytes of numbers, .*; got 100"):
        read(pack(huge + bytes(100)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 22


def test_many_zeros_packed_small_are_not_all_unpacked(read):
    """Of a packed file no more is read than its header announces."""
    packed = gzip.compress(idx_bytes(np.zeros(3, np.uint8)) + bytes(1 << 24))
    tracemalloc.start()
    with pytest.raises(ValueError, match="expected 3 bytes of numbers, .*; got more"):
        read(packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 22


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_idx(tmp_path / "absent")
