"""Gives the vertices of ordered columns their heights, without overlaps and with short lines."""

from collections import defaultdict
from collections.abc import Sequence

from callboard_web.graph.layers import Columns

PASSES = 6
JOINT_WEIGHT = 3.0
"""Long lines are straightened before short ones."""


def centres(columns: Columns, heights: Sequence[int], gap: int) -> list[float]:
    """Give the middle of each vertex, from 0 downwards.

    Each is drawn to the mean of its neighbours; within a column the least squares of the ways are
    found exactly, by pooling neighbours that would overlap.
    """
    around: tuple[defaultdict[int, list[int]], ...] = (defaultdict(list), defaultdict(list))
    for left, right in columns.pieces:
        around[0][right].append(left)
        around[1][left].append(right)
    middle = [0.0] * len(heights)
    for column in columns.order:
        _stack(column, heights, gap, middle)
    for step in range(PASSES):
        rightward = step % 2 == 0
        for column in columns.order if rightward else reversed(columns.order):
            wanted = []
            for number in column:
                near = around[0 if rightward else 1][number]
                if step >= PASSES - 2:
                    near = near + around[1 if rightward else 0][number]
                mean = sum(middle[other] for other in near) / len(near) if near else middle[number]
                wanted.append(mean)
            _settle(column, wanted, heights, gap, middle)
    top = min((middle[n] - heights[n] / 2 for n in range(len(heights))), default=0.0)
    return [value - top for value in middle]


def _stack(column: Sequence[int], heights: Sequence[int], gap: int, middle: list[float]) -> None:
    total = sum(heights[number] + gap for number in column) - gap
    at = -total / 2
    for number in column:
        middle[number] = at + heights[number] / 2
        at += heights[number] + gap


def _settle(
    column: Sequence[int],
    wanted: Sequence[float],
    heights: Sequence[int],
    gap: int,
    middle: list[float],
) -> None:
    """Pool adjacent violators: the nearest places to those wanted that keep order and gaps."""
    offset = 0.0
    offsets = []
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for index, number in enumerate(column):
        if index:
            offset += (heights[column[index - 1]] + heights[number]) / 2 + gap
        offsets.append(offset)
        mean, weight, size = wanted[index] - offset, _weight(heights[number]), 1
        while blocks and blocks[-1][0] > mean:
            other, heavier, more = blocks.pop()
            mean = (mean * weight + other * heavier) / (weight + heavier)
            weight, size = weight + heavier, size + more
        blocks.append((mean, weight, size))
    index = 0
    for mean, _, size in blocks:
        for _ in range(size):
            middle[column[index]] = mean + offsets[index]
            index += 1


def _weight(height: int) -> float:
    return 1.0 if height else JOINT_WEIGHT
