"""Charts: lines and bars as inline SVG, without scripts, fonts or files from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 40
COLOURS = ("var(--one)", "var(--two)", "var(--three)")


@dataclass(frozen=True)
class Line:
    """A named line of points (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart with x from `low` to `high` and y from 0 to `top`; `marks` are named vertical lines."""

    title: str
    x: str
    y: str
    low: float
    high: float
    top: float = 1.0
    marks: tuple[tuple[str, float], ...] = ()
    shares: bool = True

    def lines(self, lines: Sequence[Line]) -> str:
        """Returns the chart of some lines with their legend."""
        drawn = []
        for place, line in enumerate(lines):
            path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in line.points)
            dash = ' stroke-dasharray="5 4"' if line.dashed else ""
            colour = COLOURS[place % len(COLOURS)]
            drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        return self._figure("".join(drawn), [line.name for line in lines])

    def bars(self, edges: Sequence[float], named: Sequence[tuple[str, Sequence[float]]]) -> str:
        """Returns a histogram: filled steps over the same edges, one per name."""
        drawn = []
        for place, (_, values) in enumerate(named):
            points = [(edges[0], 0.0)]
            for start, end, value in zip(edges, edges[1:], values, strict=False):
                points += [(start, value), (end, value)]
            points.append((edges[-1], 0.0))
            path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
            colour = COLOURS[place % len(COLOURS)]
            drawn.append(
                f'<polygon points="{path}" fill="{colour}" fill-opacity="0.22" stroke="{colour}" stroke-width="1.5"/>'
            )
        return self._figure("".join(drawn), [name for name, _ in named])

    def _x(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return _LEFT + (value - self.low) / span * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - min(max(value / (self.top or 1.0), 0.0), 1.0) * (HEIGHT - _TOP - _BOTTOM)

    def _figure(self, drawn: str, names: Sequence[str]) -> str:
        legend = "".join(
            f'<span class="key"><i style="background:{COLOURS[place % len(COLOURS)]}"></i>{escape(name)}</span>'
            for place, name in enumerate(names)
        )
        svg = (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f"{self._grid()}{drawn}{self._marks()}</svg>"
        )
        return f"<figure><figcaption>{escape(self.title)}</figcaption>{svg}<div>{legend}</div></figure>"

    def _grid(self) -> str:
        parts = []
        for step in range(5):
            value = self.top * step / 4
            y = self._y(value)
            told = f"{100 * value:.3g} %" if self.shares else f"{value:.3g}"
            parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{told}</text>')
        for step in range(5):
            value = self.low + (self.high - self.low) * step / 4
            x = self._x(value)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:.3g}</text>')
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(self.x)}</text>')
        return "".join(parts)

    def _marks(self) -> str:
        parts = []
        for place, (name, value) in enumerate(self.marks):
            if self.low <= value <= self.high:
                x, y = self._x(value), _TOP + 12 + 13 * place
                end = x > WIDTH / 2
                parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" class="mark"/>')
                anchor, shift = ("end", -4) if end else ("start", 4)
                parts.append(f'<text x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{escape(name)}</text>')
        return "".join(parts)
