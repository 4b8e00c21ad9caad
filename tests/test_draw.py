"""tg.draw: what is drawn, that nothing overlaps, that both texts are well formed."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.drawing.layout import place

SVG = "{http://www.w3.org/2000/svg}"


# ---- graphs to draw --------------------------------------------------------------------


def lecture():
    """The example of the README, with a reused leaf."""
    a, b = tg.Value(2.0), tg.Value(-3.0)
    c = a * b
    return c + a ** 2, None


def mlp():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    x = np.ones((2, 4), "float32")
    return nn.functional.cross_entropy(net(x), [0, 1]), net


class Block(nn.Module):
    def __init__(self):
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.b(tg.tanh(self.a(x)))


class Residual(nn.Module):
    def __init__(self, n):
        self.blocks = [Block() for _ in range(n)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def residual(n=3):
    tg.manual_seed(0)
    net = Residual(n)
    return tg.mean(net(np.ones((2, 4), "float32")) ** 2), net


class Neuron(nn.Module):
    def __init__(self, n):
        self.w = [tg.Value(0.1 * i) for i in range(n)]
        self.b = tg.Value(0.5)

    def forward(self, x):
        return sum((w * x for w, x in zip(self.w, x)), self.b).relu()


class Layer(nn.Module):
    def __init__(self, n_in, n_out):
        self.neurons = [Neuron(n_in) for _ in range(n_out)]

    def forward(self, x):
        return [neuron(x) for neuron in self.neurons]


def values(points=3):
    """A net of Values, called once for each point: every Module is called several times."""
    net = nn.Sequential(Layer(2, 4), Layer(4, 4), Layer(4, 1))
    losses = [(1 - net([0.1 * i, 1.0])[0]) ** 2 for i in range(points)]
    return sum(losses) + 0.01 * sum(p * p for p in net.parameters()), net


def repeated():
    """A Module that is called twice, with an op of nobody between: it would be a cycle."""
    tg.manual_seed(0)
    layer = nn.Linear(3, 3)
    h = layer(np.ones((2, 3), "float32"))
    return tg.sum(layer(h * tg.ones(2, 3, requires_grad=True))), nn.Sequential(layer)


def leaf():
    return tg.Tensor([1.0, 2.0], requires_grad=True), None


def changed_in_place():
    x = tg.ones(3, requires_grad=True)
    y = x * 2
    z = y.exp()
    y[0] = 5.0
    return tg.sum(y * z), None


GRAPHS = [lecture, mlp, residual, values, repeated, leaf, changed_in_place]
LIMITS = [200, 30, 10, 5, 2, 1]


@pytest.fixture(params=[(graph, limit) for graph in GRAPHS for limit in LIMITS],
                ids=lambda row: f"{row[0].__name__}-{row[1]}", scope="module")
def drawing(request):
    make, limit = request.param
    node, model = make()
    return tg.draw(node, model, max_nodes=limit)


# ---- the picture -----------------------------------------------------------------------


def frames(svg):
    """The frames (left, top, right, bottom) of the boxes."""
    found = []
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        if rect.get("class") == "box":
            x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h))
    return found


def ends(svg):
    """Where each edge begins and ends."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        if path.get("class") == "edge":
            numbers = [float(x) for x in re.findall(r"-?[\d.]+", path.get("d"))]
            found.append((tuple(numbers[:2]), tuple(numbers[-2:])))
    return found


def test_every_box_is_drawn_once_inside_the_picture(drawing):
    root = ElementTree.fromstring(drawing.svg)
    boxes = frames(drawing.svg)
    assert len(boxes) == len(drawing.boxes) > 0
    assert len(set(boxes)) == len(boxes)
    shift = [float(x) for x in re.findall(r"-?[\d.]+", root.find(f"{SVG}g").get("transform"))]
    for left, top, right, bottom in boxes:
        assert left + shift[0] >= 0
        assert top + shift[1] >= 0
        assert right + shift[0] <= float(root.get("width"))
        assert bottom + shift[1] <= float(root.get("height"))


def test_no_boxes_overlap(drawing):
    for a, b in combinations(frames(drawing.svg), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_edges_lead_down_from_box_to_box(drawing):
    boxes = frames(drawing.svg)
    drawn = ends(drawing.svg)
    assert len(drawn) == len(drawing.edges)
    for (a, b), ((x0, y0), (x1, y1)) in zip(drawing.edges, drawn, strict=True):
        assert x0 == pytest.approx((boxes[a][0] + boxes[a][2]) / 2, abs=0.11)
        assert y0 == pytest.approx(boxes[a][3], abs=0.11)
        assert boxes[b][0] <= x1 <= boxes[b][2]
        assert y1 == pytest.approx(boxes[b][1], abs=0.11)
        assert y0 < y1


def test_edges_pass_beside_boxes():
    """No straight piece of an edge, where it passes a layer, touches a box of that layer."""
    sizes = [(60.0, 20.0 + 7 * (i % 3)) for i in range(14)]
    edges = [(i, j) for i, j in combinations(range(14), 2) if (i * j) % 3 == 1 or j == i + 1]
    layout = place(sizes, edges)
    for (a, b), route in zip(edges, layout.routes, strict=True):
        assert len(route) % 2 == 0
        for (x0, y0), (x1, y1) in zip(route[::2], route[1::2], strict=True):
            assert x0 == x1
            for i, ((x, y), (w, h)) in enumerate(zip(layout.corners, sizes, strict=True)):
                if i not in (a, b):
                    assert not (x < x0 < x + w and y < max(y0, y1) and min(y0, y1) < y + h)


def test_text_fits_its_box(drawing):
    root = ElementTree.fromstring(drawing.svg)
    for group, box in zip(root.find(f"{SVG}g").findall(f"{SVG}g"), drawing.boxes, strict=True):
        assert [text.text for text in group.iter(f"{SVG}text")] == box.lines
        width = float(group.find(f"{SVG}rect").get("width"))
        longest = sum(map(len, box.lines)) if box.is_value else max(map(len, box.lines))
        assert 7.25 * longest < width


def test_one_box_for_each_crossing_free_order():
    """Two chains that are given crosswise are laid out side by side."""
    layout = place([(10.0, 10.0)] * 6, [(0, 3), (1, 2), (2, 5), (3, 4), (4, 5)])
    x = [corner[0] for corner in layout.corners]
    assert (x[0] < x[1]) == (x[3] < x[2])


# ---- what is in it ---------------------------------------------------------------------


def lines(drawing):
    return [box.lines for box in drawing.boxes]


def test_values():
    a, b = tg.Value(2.0), tg.Value(-3.0)
    c = a * b
    d = c + a ** 2
    d.backward(retain_graph=True)
    drawing = tg.draw(d, names=locals())
    assert lines(drawing) == [
        ["a", "data 2", "grad 1"],
        ["b", "data -3", "grad 2"],
        ["c = multiply", "data -6", "grad 1"],
        ["power(_, 2)", "data 4", "grad 1"],
        ["d = add", "data -2", "grad 1"],
    ]
    assert sorted(drawing.edges) == [(0, 2), (0, 3), (1, 2), (2, 4), (3, 4)]
    assert drawing.title == "3 ops, 2 leaves"
    assert [box.kind for box in drawing.boxes] == ["parameter"] * 2 + ["op"] * 3


def test_tensors():
    node, net = mlp()
    drawing = tg.draw(node, net, names={"loss": node, "other": 3})
    assert lines(drawing) == [
        ["array", "(2, 4)"], ["0.weight", "(5, 4)"], ["0.bias", "(5,)"],
        ["linear", "(2, 5)"], ["relu", "(2, 5)"],
        ["2.weight", "(3, 5)"], ["2.bias", "(3,)"],
        ["linear", "(2, 3)"], ["array", "(2,)"], ["tensor", "(3, 3)"],
        ["loss = cross_entropy(reduction=mean)", f"{node.item():.4g}"],
    ]
    assert [box.kind for box in drawing.boxes][:3] == ["data", "parameter", "parameter"]


@pytest.mark.parametrize(("make", "label"), [
    (lambda x: 1 - x, "subtract(1, _)"), (lambda x: x * 0.5, "multiply(_, 0.5)"),
    (lambda x: tg.sum(x, axis=1), "sum(axis=1)"), (lambda x: tg.exp(x), "exp"),
    (lambda x: tg.mean(x), "mean"), (lambda x: x[:, [0, 1]], "getitem"),
    (lambda x: tg.einsum("ij->j", x), "einsum(subscripts=ij->j)"),
    (lambda x: tg.reshape(x, (2, -1)), "reshape"),
])
def test_labels(make, label):
    x = tg.ones(2, 3, requires_grad=True)
    assert lines(tg.draw(make(x)))[-1][0] == label


def test_the_same_input_twice_is_one_edge():
    x = tg.Value(3.0)
    assert tg.draw(x * x).edges == [(0, 1)]


def test_a_leaf_is_a_box():
    drawing = tg.draw(tg.Tensor([1.0, 2.0]))
    assert lines(drawing) == [["tensor", "(2,)"]]
    assert (drawing.edges, drawing.title) == ([], "0 ops, 1 leaf")


def test_in_place_changes_are_drawn_as_they_happened():
    """exp read y before it was changed."""
    node, _ = changed_in_place()
    drawing = tg.draw(node)
    heads = [box.lines[0] for box in drawing.boxes]
    exp, setitem = heads.index("exp"), heads.index("setitem(_, 5, index=0)")
    doubled = heads.index("multiply(_, 2)")
    assert (doubled, exp) in drawing.edges
    assert (doubled, setitem) in drawing.edges
    assert (setitem, exp) not in drawing.edges


# ---- folding ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("with_model", [True, False])
def test_never_more_boxes_than_asked_for(make, limit, with_model):
    node, model = make()
    drawing = tg.draw(node, model if with_model else None, max_nodes=limit)
    assert 1 <= len(drawing.boxes) <= limit
    assert all(a != b for a, b in drawing.edges)
    assert len(set(drawing.edges)) == len(drawing.edges)


def test_by_module():
    node, net = mlp()
    drawing = tg.draw(node, net, max_nodes=6)
    assert lines(drawing)[:5] == [
        ["array", "(2, 4)"], ["0 Linear", "linear, relu", "25 parameters"],
        ["2 Linear", "linear", "18 parameters"], ["array", "(2,)"], ["tensor", "(3, 3)"]]
    assert lines(drawing)[5][0].startswith("cross_entropy")
    assert drawing.edges == [(0, 1), (1, 2), (2, 5), (3, 5), (4, 5)]
    assert drawing.title == "4 ops, 7 leaves, in 6 boxes"


def test_by_outer_modules_where_inner_ones_are_too_many():
    node, net = residual(4)
    heads = [box[0] for box in lines(tg.draw(node, net, max_nodes=16))]
    assert "blocks.2.a Linear" in heads
    heads = [box[0] for box in lines(tg.draw(node, net, max_nodes=12))]
    blocks = [f"blocks.{i} Block" for i in range(4)]
    assert [head for head in heads if "Block" in head] == blocks


def test_modules_of_values():
    node, net = values()
    heads = [box[0] for box in lines(tg.draw(node, net, max_nodes=20))]
    assert [head for head in heads if "Layer" in head] == ["0 Layer", "1 Layer", "2 Layer"]


def test_a_module_in_a_cycle_is_joined_with_what_is_between():
    node, model = repeated()
    drawing = tg.draw(node, model, max_nodes=6)
    assert lines(drawing)[1][:2] == ["0 Linear", "2 linear, multiply"]


def test_without_model_by_op_and_distance():
    leaves = [tg.Value(float(i)) for i in range(50)]
    total = sum(leaf.exp().sin() for leaf in leaves)
    drawing = tg.draw(total, max_nodes=60)
    assert lines(drawing)[:2] == [["50 exp", "50 numbers"], ["50 sin"]]
    assert drawing.boxes[-1].lines[0] == "add"


def test_a_graph_of_70000_nodes():
    """It is folded before it is laid out; a sweep of its size takes longer."""
    x = y = tg.Value(1.0)
    for _ in range(35_000):
        y = (y + x).sin()
    drawing = tg.draw(y)
    assert len(drawing.boxes) <= 30
    assert drawing.title == f"70,000 ops, 1 leaf, in {len(drawing.boxes)} boxes"
    assert len(frames(drawing.svg)) == len(drawing.boxes)


def test_a_parameter_in_two_modules_and_a_module_in_itself():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    net.me = [net]
    node = tg.sum(net(np.ones((2, 3), "float32")))
    drawing = tg.draw(node, net, max_nodes=5)  # the second linear reads what both hold
    assert lines(drawing) == [["array", "(2, 3)"], ["0 Linear", "linear", "12 parameters"],
                              ["1.bias", "(3,)"], ["linear", "(2, 3)"],
                              ["sum", f"{node.item():.4g}"]]


# ---- as text ---------------------------------------------------------------------------

STRING = r'"(?:[^"\\]|\\.)*"'
WORD = rf"(?:{STRING}|[A-Za-z_][A-Za-z_0-9]*|\d+)"
PAIR = rf"{WORD}={WORD}"
STATEMENTS = [
    rf"  {PAIR}(; {PAIR})*;",
    rf"  (node|n\d+) \[{PAIR}(, {PAIR})*\];",
    r"  n\d+ -> n\d+;",
]


def test_dot(drawing):
    first, *body, last = drawing.dot.splitlines()
    assert (first, last) == ("digraph {", "}")
    for line in body:
        assert any(re.fullmatch(statement, line) for statement in STATEMENTS), line
    names = re.findall(r"^  (n\d+) \[", drawing.dot, re.MULTILINE)
    assert names == [f"n{i}" for i in range(len(drawing.boxes))]
    edges = re.findall(r"^  n(\d+) -> n(\d+);", drawing.dot, re.MULTILINE)
    assert [(int(a), int(b)) for a, b in edges] == drawing.edges


@pytest.mark.parametrize("make", GRAPHS)
def test_the_same_graph_gives_the_same_text(make):
    one, other = [tg.draw(node, model) for node, model in (make(), make())]
    assert one.svg == other.svg
    assert one.dot == other.dot


@pytest.mark.parametrize("name", [
    "<&>\"'", "a\\b", "{x|y}", "tab\tnewline\n\0", "加重", "x" * 100, "--", "]]>", "\ud800"])
@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_strange_names(name, kind, tmp_path):
    x = kind(2.0)
    drawing = tg.draw(x, names={name: x}, title=name)
    ElementTree.fromstring(drawing.svg)
    assert all(any(re.fullmatch(s, line) for s in STATEMENTS)
               for line in drawing.dot.splitlines()[1:-1])
    assert len(drawing.boxes[0].lines[0]) <= 36
    drawing.save(tmp_path / "picture.svg")


def test_records_are_escaped():
    x = tg.Value(1.0)
    assert r'label="\{a\|b\}\\|data 1|grad 0"' in tg.draw(x, names={"{a|b}\\": x}).dot


def test_a_title_of_ones_own():
    drawing = tg.draw(tg.Value(1.0), title='a < "b"\n& c')
    root = ElementTree.fromstring(drawing.svg)
    assert root.find(f"{SVG}title").text == root.find(f"{SVG}text").text == 'a < "b"?& c'
    assert 'label="a < \\"b\\"?& c"' in drawing.dot


def test_save(tmp_path):
    drawing = tg.draw(lecture()[0])
    for name, text in [("a.svg", drawing.svg), ("b.dot", drawing.dot), ("c.GV", drawing.dot)]:
        drawing.save(tmp_path / name)
        drawing.save(str(tmp_path / name))
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    for name in ("d.png", "e"):
        with pytest.raises(ValueError, match=r"ending in \.svg, \.dot or \.gv; got"):
            drawing.save(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_notebook_shows_it():
    drawing = tg.draw(lecture()[0])
    assert drawing._repr_svg_() == drawing.svg
    assert repr(drawing) == "Drawing(3 ops, 2 leaves: 5 boxes, 5 edges)"


# ---- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lecture, mlp, values])
def test_a_freed_graph(make):
    node, model = make()
    node.backward()
    with pytest.raises(RuntimeError, match=r"draw it before backward\(\), or call backward\("):
        tg.draw(node, model)


def test_drawing_leaves_the_graph_alone():
    node, net = mlp()
    tg.draw(node, net).save  # noqa: B018  # the text is made when it is asked for
    node.backward()
    assert net[0].weight.grad is not None


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ((3.0,), TypeError, "expects a Value or a Tensor; got float"),
    ((nn.Linear(1, 1),), TypeError, "expects a Value or a Tensor; got Linear"),
    ((tg.Value(1.0), lambda x: x), TypeError, "expects a Module as model; got function"),
    ((tg.Value(1.0), None, None, 0), ValueError, "max_nodes of 1 or more; got 0"),
])
def test_draw_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        tg.draw(*arguments)
