"""Pictures of relations: nothing overlaps, nothing is lost, lines lead from border to border."""

import re
from collections import defaultdict
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.entities import EntityRef
from callboard_catalog.reading import Related
from callboard_web import graph
from callboard_web.graph import CARD, Link, Picture, Sizes, Thing, text
from callboard_web.graph.layers import layers_of, without_cycles
from callboard_web.graph.star import MOST

POINT = re.compile(r"-?\d+")
NAMES = st.text(max_size=40)
SINGLE = Sizes(group_from=0)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Thing], list[Link]]:
    """Give any things and links: circles, links to itself, several between two, hubs."""
    count = draw(st.integers(1, 24))
    kinds = st.sampled_from(["component", "api", "group"])
    things = [
        Thing(
            key=str(number), title=draw(NAMES), kind=draw(kinds), url=f"/{number}",
            centre=number == 0, more=draw(st.sampled_from([0, 0, 0, 7])) if number else 0,
        )
        for number in range(count)
    ]  # fmt: skip
    end = st.integers(0, count - 1).map(str)
    kind = st.sampled_from(["owns", "depends on", "provides"])
    pairs = draw(st.lists(st.tuples(end, end, kind, st.booleans()), max_size=60))
    return things, [Link(left, right, name, name, dashed) for left, right, name, dashed in pairs]


def ends(path: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give first and last point of a path of M, H, V and C."""
    x = y = 0
    first = None
    for command, numbers in re.findall(r"([MHVC])([-\d ]+)", path):
        values = [int(number) for number in POINT.findall(numbers)]
        if command == "H":
            x = values[-1]
        elif command == "V":
            y = values[-1]
        else:
            x, y = values[-2:]
        first = first or (x, y)
    assert first is not None
    return first, (x, y)


def boxes(picture: Picture) -> list[tuple[int, int, int, int]]:
    """Give the borders of what stands for itself: frames, and nodes that are in none."""
    found = [(f.x, f.y, f.x + f.width, f.y + f.height) for f in picture.frames]
    found += [(n.x, n.y, n.x + n.width, n.y + n.height) for n in picture.nodes if not n.chip]
    return found


@settings(max_examples=150, deadline=None)
@given(graphs(), st.sampled_from([SINGLE, CARD, Sizes()]))
def test_every_thing_is_drawn_once_inside_and_apart(
    given_graph: tuple[list[Thing], list[Link]], sizes: Sizes
) -> None:
    things, links = given_graph
    picture = graph.draw(things, links, sizes=sizes)
    assert sorted(node.thing.key for node in picture.nodes) == sorted(t.key for t in things)
    assert [node.number for node in picture.nodes] == list(range(len(things)))
    assert picture.centre is not None
    for one, other in combinations(boxes(picture), 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart, (one, other)
    for one_chip, other_chip in combinations([n for n in picture.nodes if n.chip], 2):
        assert (
            one_chip.x + one_chip.width < other_chip.x
            or other_chip.x + other_chip.width < one_chip.x
            or one_chip.y + one_chip.height < other_chip.y
            or other_chip.y + other_chip.height < one_chip.y
        )
    for left, top, right, bottom in boxes(picture):
        assert left >= 0
        assert top >= 0
        assert right <= picture.width
        assert bottom <= picture.height


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_lines_join_what_is_linked_and_nothing_else(
    given_graph: tuple[list[Thing], list[Link]],
) -> None:
    things, links = given_graph
    picture = graph.draw(things, links, sizes=SINGLE)
    joined: defaultdict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for line in picture.lines:
        start, end = ends(line.path)
        assert start[0] < end[0]
        joined[start].add(end)
    nodes = {node.thing.key: node for node in picture.nodes}

    def owner(point: tuple[int, int]) -> str | None:
        for key, node in nodes.items():
            on_border = point[0] in (node.x, node.x + node.width)
            if on_border and node.y <= point[1] <= node.y + node.height:
                return key
        return None

    reached: set[frozenset[str]] = set()
    for start in list(joined):
        begin = owner(start)
        if begin is None or start[0] != nodes[begin].x + nodes[begin].width:
            continue
        waiting, seen = [start], {start}
        while waiting:
            for point in joined[waiting.pop()]:
                final = owner(point)
                if final is not None and point[0] == nodes[final].x:
                    reached.add(frozenset({begin, final}))
                elif point not in seen:
                    seen.add(point)
                    waiting.append(point)
    assert reached == {frozenset({k.source, k.target}) for k in links if k.source != k.target}


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_words_and_lines_stay_clear_of_boxes(
    given_graph: tuple[list[Thing], list[Link]],
) -> None:
    things, links = given_graph
    picture = graph.draw(things, links)
    for label in picture.labels:
        width = text.pixels(str(label.words), 6.4)
        left = label.x if label.anchor == "start" else label.x - width
        for box in boxes(picture):
            assert left + width <= box[0] or left >= box[2] or not box[1] < label.y - 4 < box[3]
    for one, other in combinations(picture.labels, 2):
        if one.anchor == other.anchor and one.x == other.x:
            assert abs(one.y - other.y) >= 12


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_the_same_gives_the_same_picture(given_graph: tuple[list[Thing], list[Link]]) -> None:
    assert graph.draw(*given_graph) == graph.draw(*given_graph)


@given(st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
            lambda arc: arc[0] != arc[1]), max_size=40),
    )
))  # fmt: skip
def test_circles_are_taken_apart(given_arcs: tuple[int, list[tuple[int, int]]]) -> None:
    count, arcs = given_arcs
    turned = without_cycles(count, arcs)
    straight = [(b, a) if (a, b) in turned else (a, b) for a, b in arcs]
    layer = layers_of(count, straight)
    assert all(layer[left] < layer[right] for left, right in straight)
    assert min(layer) >= 0


def test_a_large_and_tangled_graph_is_bounded() -> None:
    things = [
        Thing(key=str(n), title=f"节点 {n}", kind="component", url="/", centre=n == 0)
        for n in range(300)
    ]
    links = [
        Link(str(n * 7919 % 300), str(n * n * 104729 % 300), kind, kind)
        for n in range(1000)
        for kind in ("depends on", "consumes")
    ]
    picture = graph.draw(things, links)
    assert len(picture.nodes) == 300
    assert len(picture.lines) < 12_000


def test_things_alike_are_one_group() -> None:
    things = [Thing(key="hub", title="Hub", kind="group", url="/", centre=True)]
    things += [Thing(key=f"c{n}", title=f"c{n}", kind="component", url="/") for n in range(9)]
    things += [Thing(key="more", title="", kind="component", url="/all", more=4991)]
    links = [Link("hub", thing.key, "owns", "owns") for thing in things[1:]]
    links += [Link("c0", "c1", "depends on", "depends on")]
    picture = graph.draw(things, links)
    (frame,) = picture.frames
    assert frame.count == 7 + 4991
    assert {node.thing.key for node in picture.nodes if not node.chip} == {"hub", "c0", "c1"}
    assert picture.nodes[-1].thing.more or any(n.chip and n.thing.more for n in picture.nodes)
    hub = next(node for node in picture.nodes if node.thing.key == "hub")
    assert len(hub.after) == 3
    assert len(picture.labels) == 2


def _related(relation: str, number: int, *, exists: bool = True) -> Related:
    name = f"{relation.lower()}-{number}"
    return Related(relation, EntityRef("component", "default", name), name, "component", exists)


def test_the_card_puts_needs_to_the_right_and_limits_a_side() -> None:
    ref = EntityRef("component", "default", "orders")
    related = [_related("dependsOn", number, exists=number > 0) for number in range(9)]
    related += [_related("partOf", 0), Related("dependsOn", ref, "orders", "component", True)]
    star = graph.lay_out(ref, "Orders", related)
    centre = star.picture.centre
    assert centre is not None
    left = [node for node in star.picture.nodes if node.x < centre.x]
    right = [node for node in star.picture.nodes if node.x > centre.x]
    assert [node.title for node in left] == ["partof-0"]
    assert len(right) == MOST
    assert [node.thing.more for node in right if node.thing.more] == [4]
    assert [node.title for node in right if node.thing.missing] == ["dependson-0"]
    assert any(line.dashed for line in star.picture.lines)
    assert (star.shown, star.total) == (6, 10)
    assert [str(label.words) for label in star.picture.labels] == ["contains", "depends on"]


def test_titles_are_cut_by_their_width() -> None:
    assert graph.shorten("orders", 16) == "orders"
    assert graph.shorten("订单服务订单服务订单服务", 16) == "订单服务订单服…"
    assert len(graph.shorten("a" * 50, 16)) == 16
    assert text.units("e\u0301\u200b") == 1
