"""``python -m tinygrad_lite bench``: its table, files and refusals, and the bytes it counts.

Nothing here depends on how fast anything is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite import kernels
from tinygrad_lite.__main__ import main
from tinygrad_lite.commands import bench, timing, updates
from tinygrad_lite.commands.timing import Summary
from tinygrad_lite.commands.updates import VARIANTS, Case

ROOT = Path(__file__).parents[1]
C_IS_HERE = os.environ.get("TINYGRAD_LITE_NO_C", "0") in ("", "0")
needs_c = pytest.mark.skipif(not C_IS_HERE, reason="built without C on purpose")
NAMED = {variant.name: variant for variant in VARIANTS}
SHORT = ["bench", "--quick", "--repeats", "2", "--sizes", "100"]


def table_of(text):
    """The heading and the rows of the first table."""
    lines = text.split("\n\n")[1].splitlines()
    return lines[0], lines[1:]


# ---- the command -----------------------------------------------------------------------


def test_in_a_new_process():
    result = subprocess.run(
        [sys.executable, "-m", "tinygrad_lite", *SHORT, "--optimizers", "sgd"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0
    assert result.stderr == ""
    heading, (row,) = table_of(result.stdout)
    assert heading.split()[:2] == ["optimizer", "parameters"]
    assert row.split()[:2] == ["SGD", "100"]


def test_every_optimizer_and_size_has_a_row_and_columns_are_aligned(capsys):
    assert main([*SHORT, "2100"]) == 0
    text = capsys.readouterr().out
    heading, rows = table_of(text)
    assert [row[12:25].strip() for row in rows] == ["100", "2,100"] * len(VARIANTS)
    assert [row[:12].strip() for row in rows[::2]] == list(NAMED)
    end = 0
    for column in bench.COLUMNS:   # right-aligned: each cell ends where its title ends
        end = end + column.width + (2 if end else 0)
        assert heading[:end].endswith(column.title)
        for row in rows:
            assert row[end - 1] != " "
            assert len(row) == len(heading)


def test_plain_python_is_said_to_be_scaled(capsys):
    main([*SHORT, "2001", "--optimizers", "sgd"])
    text = capsys.readouterr().out
    _, (small, large) = table_of(text)
    assert "plain Python was timed on 2,000 parameters" in text
    assert "~" not in small
    assert large.count("~") == 1
    main([*SHORT, "2000", "--optimizers", "sgd"])
    assert "~" not in capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_json(dtype, tmp_path, capsys):
    path = tmp_path / "figures.json"
    assert main([*SHORT, "3000", "--optimizers", "adam", "sgd-momentum", "--dtype", dtype,
                 "--tensors", "3", "--threads", "1", "--json", str(path)]) == 0
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["dtype"], found["tensors"], found["threads"]) == (dtype, 3, 1)
    assert found["NumPy"] == np.__version__
    assert [(row["optimizer"], row["parameters"]) for row in found["rows"]] == [
        ("Adam", 100), ("Adam", 3000), ("SGD momentum", 100), ("SGD momentum", 3000)]
    for row in found["rows"]:
        check_figures(row)
    width = {"float32": 4, "float64": 8}[dtype]
    assert found["rows"][1]["bytes moved"] == 7 * width * 3000
    assert found["rows"][3]["bytes moved"] == 5 * width * 3000
    assert found["rows"][3]["Python timed on"] == 2000
    assert "threads: 1" in capsys.readouterr().out


def check_figures(row):
    """The figures of a row fit together."""
    assert list(row["seconds"]) == updates.backends()
    for time in row["seconds"].values():
        assert 0 < time["low"] <= time["median"] <= time["high"]
    if not C_IS_HERE:
        assert row["share of the limit"] is None
        assert row["seconds for the bytes in a loop"] == {}
        return
    medians = {name: time["median"] for name, time in row["seconds"].items()}
    loops = {name: t["median"] for name, t in row["seconds for the bytes in a loop"].items()}
    assert list(loops) == ["scale", "add_scaled", "triad"]
    assert row["share of the limit"] == pytest.approx(min(loops.values()) / medians["c"])
    for name, median in medians.items():
        assert row["times as long as C"][name] == pytest.approx(median / medians["c"])
        assert row["GB/s"][name] == pytest.approx(row["bytes moved"] / median / 1e9)


@pytest.mark.parametrize("sizes", [["100"], ["100", "1000"]])
@pytest.mark.parametrize("optimizers", [["sgd"], ["sgd", "adam"]])
def test_plot(sizes, optimizers, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    assert main(["bench", "--quick", "--repeats", "1", "--sizes", *sizes, "--optimizers",
                 *optimizers, "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_c(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(kernels, "why_not_c", lambda: "never compiled; build it")
    path = tmp_path / "figures.json"
    assert main([*SHORT, "--optimizers", "adam", "--json", str(path),
                 "--plot", str(tmp_path / "picture.svg")]) == 0
    text = capsys.readouterr().out
    assert "C is left out: never compiled; build it" in text
    _, (row,) = table_of(text)
    assert row.split().count("-") == 6   # C, two ratios, GB/s, limit, share
    assert list(json.loads(path.read_text())["rows"][0]["seconds"]) == ["numpy", "python"]
    assert (tmp_path / "picture.svg").read_text().startswith("<?xml")


def test_without_tqdm(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main([*SHORT, "--optimizers", "sgd"]) == 0
    captured = capsys.readouterr()
    assert len(table_of(captured.out)[1]) == 1
    assert captured.err == ""


def test_missing_peers_are_said_to_be(monkeypatch, capsys):
    monkeypatch.setattr(updates, "find_spec", lambda name: None)
    assert main([*SHORT, "--optimizers", "sgd", "--peers"]) == 0
    text = capsys.readouterr().out
    assert "PyTorch is left out: it is not installed" in text
    assert text.count("\n\n") == 1   # no second table


@pytest.mark.parity
def test_peers(tmp_path, capsys):
    path = tmp_path / "figures.json"
    assert main([*SHORT, "--optimizers", "adam", "adadelta", "momentum", "--peers",
                 "--json", str(path), "--plot", str(tmp_path / "picture.png")]) == 0
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    ours = updates.backends()
    assert [list(row["seconds"]) for row in rows] == [
        [*ours, "torch for-loop", "torch foreach", "torch fused"],
        [*ours, "torch for-loop", "torch foreach"],   # PyTorch has no fused Adadelta,
        ours]                                         # nor the textbook's momentum
    heading, *lines = capsys.readouterr().out.split("\n\n")[2].splitlines()
    assert heading.count("torch") == 3
    assert [line.split()[0] for line in lines] == ["Adam", "Adadelta", "Momentum"]
    assert {len(line) for line in lines} == {len(heading)}


def test_what_needs_too_much_memory_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(bench, "free_memory", lambda: 10_000.0)
    assert main([*SHORT, "100000", "--optimizers", "adam"]) == 0
    _, (small, large) = table_of(capsys.readouterr().out)
    assert "left out" not in small
    assert "left out: it needs 0.0 GB of memory" in large


def test_free_memory():
    assert bench.free_memory() > 1e6


def test_a_stop_is_quiet_and_leaves_nothing(monkeypatch, capsys, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    before = kernels.get_num_threads()
    monkeypatch.setattr(bench, "measure", stop)
    path = tmp_path / "figures.json"
    assert main([*SHORT, "--threads", "3", "--json", str(path)]) == 130
    assert capsys.readouterr().err == "\nstopped\n"
    assert not path.exists()
    assert kernels.get_num_threads() == before


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of POSIX")
def test_nobody_reads_on():
    with subprocess.Popen(
            [sys.executable, "-m", "tinygrad_lite", *SHORT, "--optimizers", "sgd"], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


# ---- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "message"), [
    (["--optimizers", "lion"], "unknown optimizer 'lion'; choose from sgd, sgd-momentum,"),
    (["--sizes", "0"], "expected a whole number from 1 up; got '0'"),
    (["--sizes", "1000", "1,000"], "expected a whole number from 1 up; got '1,000'"),
    (["--sizes", "-5"], "expected a whole number from 1 up; got '-5'"),
    (["--sizes"], "expected at least one argument"),
    (["--dtype", "float16"], "invalid choice: 'float16'"),
    (["--threads", "0"], "expected a whole number from 1 up; got '0'"),
    (["--threads", "two"], "expected a whole number from 1 up; got 'two'"),
    (["--repeats", "0"], "expected a whole number from 1 up; got '0'"),
    (["--tensors", "0"], "expected a whole number from 1 up; got '0'"),
    (["--sizes", "10", "100", "--tensors", "20"], "20 tensors cannot share 10 parameters"),
    (["--json", "no/such/folder/x.json"], "cannot write 'no/such/folder/x.json'"),
    (["--json", "."], "cannot write '.'"),
    (["--plot", "no/such/folder/x.png"], "cannot write 'no/such/folder/x.png'"),
    (["--plot", "x.bmp"], "expected a name that ends with .pdf, .png, .svg; got 'x.bmp'"),
    (["--fast"], "unrecognized arguments: --fast"),
])
def test_a_wrong_value_gets_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("python -m tinygrad_lite")
    assert message in line


def test_no_picture_without_matplotlib(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--plot", str(tmp_path / "x.png")])
    assert ended.value.code == 2
    assert "the extra 'plot'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_trying_a_file_changes_nothing(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("kept")
    bench.new_file(str(old))
    assert old.read_text() == "kept"
    bench.new_file(str(tmp_path / "new.json"))
    assert list(tmp_path.iterdir()) == [old]


# ---- what is counted -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "numbers", "arrays"), [
    ("SGD", 3, 2), ("SGD momentum", 5, 3), ("Momentum", 5, 3), ("Adagrad", 5, 3),
    ("Adadelta", 7, 4), ("RMSprop", 5, 3), ("Adam", 7, 4), ("AdamW", 7, 4),
])
def test_bytes_of_a_step(name, numbers, arrays):
    """Adam in float32: w, m and v are read and written, g is read: 28 bytes."""
    for dtype, width in (("float32", 4), ("float64", 8)):
        case = Case(NAMED[name], 1000, dtype)
        assert case.moved == numbers * width * 1000
        assert case.footprint == arrays * width * 1000
        assert case.memory(peers=True) > case.memory(peers=False) > case.footprint


@needs_c
def test_bytes_of_the_loops():
    case = Case(NAMED["Adam"], 100_000)
    for name, per_element, arrays in (("scale", 8, 1), ("add_scaled", 12, 2), ("triad", 16, 3)):
        loop = updates.memory_loops(case)[name]
        elements = loop.moved / per_element
        assert 0.999 * case.footprint < 4 * arrays * elements <= case.footprint
        loop.run()


@pytest.mark.parametrize(("parameters", "tensors", "expected"), [
    (1, 1, (1, 1)), (1999, 1999, (1999, 1999)), (2000, 7, (2000, 7)), (4000, 8, (2000, 4)),
    (1_000_000, 200, (2000, 1)),
])
def test_the_slice_has_tensors_of_the_same_size(parameters, tensors, expected):
    part = Case(NAMED["SGD"], parameters, tensors=tensors).slice()
    assert (part.parameters, part.tensors) == expected


@pytest.mark.parametrize("tensors", [1, 3, 10])
def test_parameters_are_shared_between_the_tensors(tensors):
    made = updates.parameters(Case(NAMED["SGD"], 10, "float64", tensors))
    assert len(made) == tensors
    assert sum(p.size for p in made) == 10
    assert max(p.size for p in made) - min(p.size for p in made) <= 1
    for p in made:
        assert p.dtype == p.grad.dtype == np.float64
        assert np.all(p.grad.numpy())


@pytest.mark.parity
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_peers_compute_the_same(variant):
    torch = pytest.importorskip("torch")
    if not variant.theirs:
        return
    case = Case(variant, 33, "float64", 2)
    for form in updates.FORMS.values():
        make = getattr(torch.optim, variant.theirs)
        try:
            theirs = updates.torch_parameters(case, torch)
            peer = make(theirs, **variant.settings, **form)
        except (RuntimeError, TypeError):   # PyTorch has no such form
            continue
        ours = updates.parameters(case)
        optimizer = variant.make(ours)
        for _ in range(3):
            optimizer.step()
            peer.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12)


# ---- the race --------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock that only contestants turn on."""
    now = [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])
    return now


def contestant(clock, seconds, calls):
    """A function that takes so long, and counts its calls."""
    def run():
        clock[0] += seconds
        calls.append(seconds)
    return run


def test_nobody_gets_more_time_than_the_others(clock):
    slow, quick = [], []
    found = timing.race([contestant(clock, 0.1, slow), contestant(clock, 0.005, quick)], 4.0)
    assert [tuple(summary) for summary in found] == [
        pytest.approx((0.1, 0.1, 0.1)), pytest.approx((0.005, 0.005, 0.005))]
    assert sum(slow) == pytest.approx(sum(quick), rel=0.2)


def test_everyone_has_the_fewest_blocks_after_time_is_up(clock):
    calls = [], []
    timing.race([contestant(clock, 10.0, calls[0]), contestant(clock, 20.0, calls[1])], 1.0,
                warm_up=0)
    assert [len(each) for each in calls] == [2 + timing.FEWEST] * 2


def test_blocks_may_be_counted_instead(clock):
    calls = []
    timing.race([contestant(clock, 1.0, calls)], 100.0, warm_up=0, blocks=3)
    assert len(calls) == 2 + 3


def test_quick_calls_are_timed_in_blocks(clock):
    calls = []
    (found,) = timing.race([contestant(clock, 0.001, calls)], 0.0, warm_up=0, blocks=2)
    assert found.median == pytest.approx(0.001)
    per_block = round(timing.BLOCK / 0.001)
    assert len(calls) == 2 + 2 * (1 + per_block)   # the one is not counted


@pytest.mark.parametrize(("times", "expected"), [
    ([3.0], (3, 3, 3)), ([1.0, 3.0], (2, 1.5, 2.5)), ([5.0, 1.0, 2.0, 3.0, 4.0], (3, 2, 4)),
])
def test_summary(times, expected):
    assert timing.summary(times) == expected


def test_a_summary_scaled():
    assert Summary(2.0, 1.0, 4.0).scaled(0.5) == (1.0, 0.5, 2.0)


@pytest.mark.parametrize(("number", "text"), [
    (0.5, "0.50"), (4.262, "4.26"), (9.999, "10.0"), (99.96, "100"), (312.4, "312"),
    (999.7, "1,000"), (18_995.3, "18,995"),
])
def test_digits(number, text):
    assert bench.digits(number) == text
