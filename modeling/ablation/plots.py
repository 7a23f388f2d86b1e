"""The two plots of an ablation's page: intervals around zero, and curves with a thin line for each seed.

forest(result["effects"], label="effects")
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _LEFT, _ROW = 560, 10, 36
_TITLE_HEIGHT = 26


def forest(effects: Sequence[Mapping[str, Any]], *, label: str, unit: str = "bits per byte") -> Markup:
    """An interval a row around the line of no difference; what lies left of it is less than the reference's value."""
    most = max([1e-9, *(abs(each[side]) for each in effects for side in ("low", "high", "effect"))]) * 1.08
    middle, scale = _WIDTH / 2, (_WIDTH / 2 - _LEFT) / most
    height = _TITLE_HEIGHT + _ROW * len(effects) + 24
    drawn = []
    for number, each in enumerate(effects):
        y = _TITLE_HEIGHT + _ROW * number + 24
        low, high, at = (middle + each[side] * scale for side in ("low", "high", "effect"))
        kind = {"better": "keep", "worse": "lose"}.get(each["verdict"], "none")
        told = f"{each['effect']:+.4f} ({each['low']:+.4f} to {each['high']:+.4f})".replace("-", "\N{MINUS SIGN}")
        is_first = each.get("primary", True)
        name = f"{each['arm']} against {each['reference']}" + ("" if is_first else f", on {each['outcome']}")
        drawn.append(
            f'<g class="interval {kind}{" first" if is_first else ""}">'
            f"<title>{escape(name)}: {told} {escape(unit)}, {each['verdict']}</title>"
            f'<text class="name" x="{_LEFT}" y="{y - 9}">{escape(name)}</text>'
            f'<text x="{_WIDTH - _LEFT}" y="{y - 9}" text-anchor="end">{told}</text>'
            f'<path d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8"/><circle cx="{at:.1f}" cy="{y}" r="4"/></g>'
        )
    floor = height - 20
    ticks = "".join(
        f'<text x="{middle + share * most * scale:.1f}" y="{height - 5}" text-anchor="middle">{share * most:.3f}</text>'.replace(
            ">-", ">\N{MINUS SIGN}"
        )
        for share in (-0.8, -0.4, 0, 0.4, 0.8)
    )
    return _svg(
        height,
        label,
        f'<text x="{middle - 8}" y="12" text-anchor="end">less {escape(unit)}: better</text>'
        f'<text x="{middle + 8}" y="12">more: worse</text>'
        f'<path class="zero" d="M{middle} 4V{floor}"/>{"".join(drawn)}<g class="ticks">{ticks}</g>',
    )


def curves(series: Mapping[str, Sequence[Sequence[tuple[float, float]]]], *, label: str) -> Markup:
    """``series``: arm -> a line of (tokens, value) for each seed; their mean is drawn thick, and its end is named."""
    height, floor, left, right = 250, 226, _LEFT + 40, _WIDTH - 150
    points = [point for lines in series.values() for line in lines for point in line]
    last = max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    span = (high - low) or 1.0

    def path(line: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{left + x / last * (right - left):.1f} {floor - (y - low) / span * (floor - 16):.1f}" for x, y in line)

    drawn: list[str] = []
    names: list[tuple[float, str, str]] = []
    for number, (arm, lines) in enumerate(series.items()):
        mean = [(point[0][0], sum(y for _, y in point) / len(point)) for point in zip(*lines, strict=True)]
        drawn += [f'<path class="line thin l{number % 6}" d="{path(line)}"/>' for line in lines]
        drawn.append(f'<path class="line l{number % 6}" d="{path(mean)}"><title>{escape(arm)}: {mean[-1][1]:.3f}</title></path>')
        end = floor - (mean[-1][1] - low) / span * (floor - 16)
        names.append((end, f"l{number % 6}", f"{arm} {mean[-1][1]:.3f}"))
    taken = floor + 14.0
    for end, colour, text in sorted(names, reverse=True):
        taken = min(end, taken - 14)
        drawn.append(f'<circle class="dot {colour}" cx="{right + 12}" cy="{taken:.1f}" r="4"/>')
        drawn.append(f'<text class="name" x="{right + 20}" y="{taken + 4:.1f}">{escape(text)}</text>')
    ticks = "".join(
        f'<text x="{left + share * (right - left):.1f}" y="{height - 6}" text-anchor="middle">{share * last / 1000:,.0f}k</text>'
        f'<text x="{left - 6}" y="{floor - share * (floor - 16) + 4:.1f}" text-anchor="end">{low + share * span:.2f}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return _svg(height, label, f'<path class="axis" d="M{left} 16V{floor}H{right}"/><g class="ticks">{ticks}</g>{"".join(drawn)}')


def _svg(height: float, label: str, content: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>{content}</svg>'
    )
