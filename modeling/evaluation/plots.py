"""The plot of the evaluation's page: a value and its interval a row.

dots([("1 to 15", 2.91, (2.8, 3.0), None)], label="bits per byte by position", unit="bits per byte")
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

Row = tuple[str, float, Sequence[float] | None, float | None]  # name, value, interval, and what chance alone would give
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 560, 150, 500, 24, 6


def dots(rows: Sequence[Row], *, label: str, unit: str) -> Markup:
    """``rows`` from top to bottom; a tick marks what chance would give. The axis begins at 0."""
    known = [value for _, at, interval, chance in rows for value in (at, *(interval or ()), chance or 0.0)]
    most = max([1e-9, *known]) * 1.04
    scale = (_RIGHT - _LEFT) / most
    floor = _TOP + _ROW * len(rows)
    drawn = []
    for number, (name, value, interval, chance) in enumerate(rows):
        y, x = _TOP + _ROW * number + 14, _LEFT + value * scale
        told = f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
        line = ""
        if interval:
            low, high = (_LEFT + each * scale for each in interval)
            line = f'<path d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8"/>'
        if chance:
            line += f'<path class="chance" d="M{_LEFT + chance * scale:.1f} {y - 8}v16"/>'
        drawn.append(
            f'<g class="interval"><title>{escape(name)}: {told} {escape(unit)}</title>'
            f'<text class="name" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(_short(name))}</text>{line}'
            f'<circle cx="{x:.1f}" cy="{y}" r="4"/><text x="{_WIDTH - 4}" y="{y + 4}" text-anchor="end">{value:.3f}</text></g>'
        )
    ticks = "".join(
        f'<text x="{_LEFT + share * most * scale:.1f}" y="{floor + 16}" text-anchor="middle">{share * most:.2f}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {floor + 22}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>'
        f'<path class="axis" d="M{_LEFT} {_TOP}V{floor}H{_RIGHT}"/><g class="ticks">{ticks}</g>{"".join(drawn)}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"
