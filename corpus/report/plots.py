"""Plots as SVG: pure functions from numbers to markup, drawn in the page's own colours, so that they follow light and dark.

histogram(edges, counts, [(0.3, "duplicate_lines > 0.3")], label="duplicate_line_fraction")
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 170, 8, 22, 22


def histogram(edges: Sequence[float], counts: Sequence[int], thresholds: Sequence[tuple[float, str]] = (), *, label: str) -> Markup:
    """Bars of equal width, one a bin, heights by square root (the rare bins are where thresholds lie); thresholds as lines.

    ``edges``: (bins + 1,), ``counts``: (bins,); empty bins at either end are left out, unless a threshold lies there.
    """
    first, last = _shown(edges, counts, [value for value, _ in thresholds])
    bins = last - first
    top = max([*counts[first:last], 1])
    width = (_WIDTH - 2 * _LEFT) / bins
    floor = _HEIGHT - _BOTTOM
    bars = []
    for at in range(first, last):
        if counts[at]:
            height = max(1.0, (floor - _TOP) * math.sqrt(counts[at] / top))
            title = f"{_number(edges[at])} to {_number(edges[at + 1])}: {counts[at]:,}"
            x = _LEFT + (at - first) * width
            bars.append(
                f'<rect x="{x:.1f}" y="{floor - height:.1f}" width="{max(0.5, width - 1):.1f}" height="{height:.1f}"><title>{title}</title></rect>'
            )
    lines = []
    for number, (value, text) in enumerate(thresholds):
        x = _LEFT + (_place(edges, value) - first) * width
        anchor, shift = ("end", -4) if x > _WIDTH * 0.6 else ("start", 4)
        y = 12 + 13 * number
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{floor}"/><text x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
        )
    ticks = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = first + round(share * bins)
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        ticks.append(f'<text x="{_LEFT + (at - first) * width:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{_number(edges[at])}</text>')
    return _svg(_HEIGHT, label, f'<g class="bars">{"".join(bars)}</g><path class="axis" d="M{_LEFT} {floor}H{_WIDTH - _LEFT}"/>'
                f'<g class="ticks">{"".join(ticks)}</g><g class="threshold">{"".join(lines)}</g>')  # fmt: skip


def curve(points: Sequence[Sequence[float]], threshold: float, *, label: str) -> Markup:
    """The chance that two documents of a similarity are compared: points (similarity, probability) in [0, 1]²."""
    height, floor = 220, 198
    across, up = _WIDTH - 2 * _LEFT - 30, floor - 16

    def place(similarity: float, probability: float) -> str:
        return f"{_LEFT + 30 + similarity * across:.1f} {floor - probability * up:.1f}"

    path = "M" + "L".join(place(similarity, probability) for similarity, probability in points)
    x = _LEFT + 30 + threshold * across
    marks = "".join(
        f'<text x="{_LEFT + 30 + share * across:.1f}" y="{height - 6}" text-anchor="middle">{share:g}</text>'
        f'<text x="{_LEFT + 24}" y="{floor - share * up + 4:.1f}" text-anchor="end">{share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return _svg(height, label, f'<path class="axis" d="M{_LEFT + 30} 16V{floor}H{_WIDTH - _LEFT}"/><path class="curve" d="{path}"/><g class="ticks">{marks}</g>'
                f'<g class="threshold"><line x1="{x:.1f}" x2="{x:.1f}" y1="10" y2="{floor}"/><text x="{x - 4:.1f}" y="18" text-anchor="end">'
                f"threshold {threshold:g}</text></g>")  # fmt: skip


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]], *, label: str, unit: str, tokens_per_step: int = 0, marks: Sequence[float] = ()
) -> Markup:
    """Lines over steps, one for each name, from points (step, value); the last values stand beside their ends.

    ``tokens_per_step``: below the steps stand the tokens that they have seen. ``marks``: steps with a dashed line.
    """
    height, floor, left, right = 254 if tokens_per_step else 240, 218, _LEFT + 42, _WIDTH - 110
    points = [point for line in series.values() for point in line]
    last = max(1.0, max(step for step, _ in points))
    low, high = min(value for _, value in points), max(value for _, value in points)
    span = (high - low) or 1.0

    def place(step: float, value: float) -> tuple[float, float]:
        return left + step / last * (right - left), floor - (value - low) / span * (floor - 16)

    ticks = "".join(
        f'<text x="{place(share * last, low)[0]:.1f}" y="234" text-anchor="middle">{_number(share * last)}</text>'
        f'<text x="{left - 6}" y="{place(0, low + share * span)[1] + 4:.1f}" text-anchor="end">{_graded(low + share * span, span)}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    if tokens_per_step:
        ticks += f'<text x="{right + 24}" y="234">steps</text><text x="{right + 24}" y="249">tokens</text>'
        ticks += "".join(
            f'<text x="{place(share * last, low)[0]:.1f}" y="249" text-anchor="middle">{_large(share * last * tokens_per_step)}</text>'
            for share in (0, 0.25, 0.5, 0.75, 1)
        )
    drawn = [
        f'<g class="threshold"><line x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{floor}"/></g>' for x in (place(mark, low)[0] for mark in marks)
    ]
    taken: list[float] = []
    for number, (name, line) in enumerate(sorted(series.items(), key=lambda item: item[1][-1][1])):
        path = "M" + "L".join("{:.1f} {:.1f}".format(*place(*point)) for point in line)
        x, y = place(*line[-1])
        while any(abs(y - other) < 12 for other in taken):
            y -= 12
        taken.append(y)
        title = f"{name}: {line[-1][1]:.3f} {unit}"
        drawn.append(f'<path class="line l{number % 6}" d="{path}"><title>{escape(title)}</title></path>'
                     f'<text class="name l{number % 6}" x="{x + 6:.1f}" y="{y + 4:.1f}">{escape(name)} {_graded(line[-1][1], span)}</text>')  # fmt: skip
    return _svg(height, label, f'<path class="axis" d="M{left} 16V{floor}H{right}"/><g class="ticks">{ticks}</g>{"".join(drawn)}')


def _svg(height: int, label: str, content: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>{content}</svg>'
    )


def _shown(edges: Sequence[float], counts: Sequence[int], values: Sequence[float]) -> tuple[int, int]:
    filled = [at for at, count in enumerate(counts) if count]
    places = [min(len(counts) - 1, max(0, math.floor(_place(edges, value)))) for value in values]
    marked = [*filled, *places] or [0]
    return max(0, min(marked) - 1), min(len(counts), max(marked) + 2)


def _place(edges: Sequence[float], value: float) -> float:
    """Where a value lies among the bins, in bins from the left."""
    value = min(max(value, edges[0]), edges[-1])
    at = max(0, min(len(edges) - 2, sum(edge <= value for edge in edges) - 1))
    return at + (value - edges[at]) / (edges[at + 1] - edges[at])


def _graded(value: float, span: float) -> str:
    """A value of a plot that goes over ``span``: with as many digits as tell its ticks apart."""
    if span >= 1000:
        return _large(value)
    if 0 < span < 0.02:
        return f"{value:.2g}"
    return f"{value:.2f}" if span < 100 else f"{value:.0f}"


def _large(value: float) -> str:
    """
    >>> [_large(value) for value in (0, 950, 4096, 2_500_000, 1.2e12)]
    ['0', '950', '4.1k', '2.5M', '1.2T']
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}" if value >= 10 * size else f"{value / size:.2g}{letter}"
    return f"{value:.0f}"


def _number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f}k" if value < 1_000_000 else f"{value / 1_000_000:,.0f}M"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
