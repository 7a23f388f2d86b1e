"""From the characters of a page and their places to paragraphs in reading order. Pure Python over numbers; no PDF is needed to test it.

Characters on one baseline without a wide gap are a run. A page is cut at the gutter that the fewest runs cross; what crosses it (titles,
wide figures) parts the page into bands, and in each band the left column comes before the right. In a column runs are lines, lines that
are rows of cells are a table, and the rest are paragraphs.

    page_blocks(Page(612, 792, glyphs), Counter())  # ["A title", "First paragraph …"]
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import final

TABLE_ROWS = 3  # so many rows of cells in a row are a table
_RUN_GAP = 1.2  # heights of the font of empty space that end a run: justified lines stretch a space to 0.9
_WORD_GAP = 0.5  # heights that are a space where neither the file nor PDFium has one
_MAX_CUTS = 8  # one within another
_FEW_CROSSING = 0.1  # of the lines' height: a title; with more, another cut is looked for first
_MAX_CROSSING = 0.4  # of the lines' height may cross a gutter: a page with a large figure's caption and title
_MIN_SIDE = 0.12  # of the lines' height on either side of it
_CUTS_TRIED = 8
_MARGIN_LINES = 3  # lines at the head and foot of a page that may be running ones
_NUMBER_LINE = re.compile(
    r"^(?:page|seite|p\.)?\s*[-–—|]?\s*(?:\d{1,5}|[ivxlc]{1,7})(?:\s*(?:/|of|von)\s*\d{1,5})?\s*[-–—|.]?$", re.IGNORECASE
)


@final
@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: left and right edge, baseline (y grows upwards), size; all in points."""

    text: str
    left: float
    right: float
    y: float
    size: float


@final
@dataclass(frozen=True, slots=True)
class Page:
    """A page's size in points and its characters, in the file's order."""

    width: float
    height: float
    glyphs: tuple[Glyph, ...]


@final
@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one baseline without a wide gap."""

    text: str
    left: float
    right: float
    y: float
    size: float


def runs_of(page: Page) -> list[Run]:
    """The page's runs, in the file's order; those that say the same in the same place (a shadow, a false bold) once."""
    runs: list[Run] = []
    held: list[Glyph] = []
    for glyph in page.glyphs:
        if held and not _continues(held, glyph):
            _close(held, runs)
        if held or not glyph.text.isspace():
            held.append(glyph)
    _close(held, runs)
    seen: set[tuple[str, int, int]] = set()
    once = []
    for run in runs:
        key = (run.text, round(run.left / 3), round(run.y / 3))
        if key not in seen:
            seen.add(key)
            once.append(run)
    return once


def _continues(held: list[Glyph], glyph: Glyph) -> bool:
    last = held[-1]
    size = max(last.size, glyph.size)
    return abs(glyph.y - last.y) < 0.5 * size and -0.5 * size < glyph.left - last.right < _RUN_GAP * size


def _close(held: list[Glyph], runs: list[Run]) -> None:
    parts: list[str] = []
    for before, glyph in zip([None, *held], held, strict=False):
        if before and not glyph.text.isspace() and not before.text.isspace() and glyph.left - before.right > _WORD_GAP * glyph.size:
            parts.append(" ")
        parts.append(glyph.text)
    text = " ".join("".join(parts).split())
    if text:
        inked = [glyph for glyph in held if not glyph.text.isspace()]
        middle = median(sorted(glyph.size for glyph in inked))
        base = Counter(round(glyph.y, 1) for glyph in inked).most_common(1)[0][0]
        runs.append(Run(text, min(glyph.left for glyph in inked), max(max(glyph.left, glyph.right) for glyph in inked), base, middle))
    held.clear()


def page_blocks(page: Page, counted: Counter[str]) -> list[str]:
    """Paragraphs in reading order. ``counted`` gets ``pdf:tables`` and ``pdf:table_rows``."""
    return [block for column in columns(runs_of(page), depth=0) for block in _paragraphs(_lines(column), counted)]


def columns(runs: Sequence[Run], depth: int) -> list[list[Run]]:
    """Parts of the page that are read line by line, in their order."""
    if depth >= _MAX_CUTS or len(runs) <= 5:
        return [list(runs)] if runs else []
    gutter = _gutter(runs, _FEW_CROSSING)
    if gutter is None:
        halves = _cut_across(runs)
        if halves:
            return [column for part in halves for column in columns(part, depth + 1)]
        gutter = _gutter(runs, _MAX_CROSSING)
    if gutter is None:
        return [list(runs)]
    crossing = [run for run in runs if run.left < gutter < run.right]
    bars = sorted({run.y for run in crossing}, reverse=True)
    bands: list[list[Run]] = [[] for _ in range(2 * len(bars) + 1)]  # between, on, between, on, …
    for run in runs:
        above = sum(bar > run.y + 0.3 * run.size for bar in bars)
        is_on_bar = above < len(bars) and abs(bars[above] - run.y) <= 0.3 * run.size
        bands[2 * above + is_on_bar].append(run)
    parts: list[list[Run]] = []
    wide: list[Run] = []
    for number, band in enumerate(bands):
        if number % 2:
            wide += band
        elif band:
            parts += columns(wide, depth + 1) if wide else []
            wide = []
            for side in ([run for run in band if run.right <= gutter], [run for run in band if run.right > gutter]):
                parts += columns(side, depth + 1)
    return parts + (columns(wide, _MAX_CUTS) if wide else [])


def _cut_across(runs: Sequence[Run]) -> tuple[list[Run], list[Run]] | None:
    """Above and below the widest of the empty stretches across the page that leaves columns on either side of it; None if none does."""
    levels = sorted({(run.y, run.size) for run in runs}, reverse=True)
    gaps = sorted(((above[0] - below[0] - below[1], below[0]) for above, below in zip(levels, levels[1:], strict=False)), reverse=True)
    for gap, level in gaps[:_CUTS_TRIED]:
        above, below = [run for run in runs if run.y > level], [run for run in runs if run.y <= level]
        if gap > 0 and any(len(part) > 5 and _gutter(part, _FEW_CROSSING) is not None for part in (above, below)):
            return above, below
    return None


def _gutter(runs: Sequence[Run], max_crossing: float) -> float | None:
    """Where the fewest runs are crossed, with enough of them on either side; None where there is no such place."""
    left, right = min(run.left for run in runs), max(run.right for run in runs)
    total = sum(run.size for run in runs)
    width = int(right - left) + 1
    if width < 40 or width > 20_000:
        return None
    change = [0.0] * (width + 2)
    for run in runs:
        change[max(0, int(run.left - left))] += run.size
        change[min(width, int(run.right - left)) + 1] -= run.size
    cover, height = [], 0.0
    for step in change[:width]:
        height += step
        cover.append(height)
    inner = range(int(0.15 * width), int(0.85 * width))
    least = min((cover[at] for at in inner), default=total)
    if least > max_crossing * total:
        return None
    best = _widest(inner, cover, least + 0.02 * total)
    if best is None:
        return None
    at, breadth = best
    gutter = left + at
    on_left = [run for run in runs if run.right <= gutter]
    on_right = [run for run in runs if run.left >= gutter]
    if breadth < 0.6 * median(run.size for run in runs) or min(len(on_left), len(on_right)) < 3:
        return None
    if min(sum(run.size for run in side) for side in (on_left, on_right)) < _MIN_SIDE * total or _is_tabular(on_left, on_right):
        return None
    return gutter


def _widest(inner: range, cover: Sequence[float], limit: float) -> tuple[float, int] | None:
    """(middle, breadth) of the widest stretch that is covered no more than ``limit``."""
    best: tuple[float, int] | None = None
    start = None
    for at in [*inner, -1]:
        is_low = at >= 0 and cover[at] <= limit
        if is_low and start is None:
            start = at
        elif not is_low and start is not None:
            end = at if at >= 0 else inner.stop
            if best is None or end - start > best[1]:
                best = ((start + end) / 2, end - start)
            start = None
    return best


def _is_tabular(on_left: Sequence[Run], on_right: Sequence[Run]) -> bool:
    """Columns of prose hold lines of words; columns of a table hold cells."""
    return min(median(len(run.text) for run in side) for side in (on_left, on_right)) < 12


@final
@dataclass(frozen=True, slots=True)
class Line:
    """Runs of one baseline in one column, from left to right."""

    cells: tuple[Run, ...]

    @property
    def text(self) -> str:
        return " ".join(run.text for run in self.cells)

    @property
    def left(self) -> float:
        return self.cells[0].left

    @property
    def right(self) -> float:
        return max(run.right for run in self.cells)

    @property
    def y(self) -> float:
        return self.cells[0].y

    @property
    def size(self) -> float:
        return max(run.size for run in self.cells)

    @property
    def is_row(self) -> bool:
        """Three cells with wide gaps between them, or two of which one is a number or a word or two."""
        gaps = sum(after.left - before.right > 1.2 * before.size for before, after in zip(self.cells, self.cells[1:], strict=False))
        short = sum(len(run.text) < 16 for run in self.cells)
        return (gaps >= 2 and short >= 2) or (gaps == 1 and len(self.cells) == 2 and len(self.cells[1].text) < 12)


def _lines(runs: Sequence[Run]) -> list[Line]:
    """Runs on one baseline (within 0.4 of their size) are one line; from top to bottom."""
    held: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: (-run.y, run.left)):
        if held and abs(held[-1][0].y - run.y) < 0.4 * max(run.size, held[-1][0].size):
            held[-1].append(run)
        else:
            held.append([run])
    return [Line(tuple(sorted(line, key=lambda run: run.left))) for line in held]


def _paragraphs(lines: Sequence[Line], counted: Counter[str]) -> list[str]:
    lines = _without_tables(lines, counted)
    if not lines:
        return []
    pitches = sorted(before.y - after.y for before, after in zip(lines, lines[1:], strict=False) if before.y > after.y)
    pitch = median(pitches[: len(pitches) * 3 // 4 + 1]) if pitches else 0.0
    edge = median(sorted(line.left for line in lines))
    far = sorted(line.right for line in lines)[len(lines) * 3 // 4]
    groups: list[list[Line]] = []
    for line in lines:
        if groups and _goes_on(groups[-1][-1], line, pitch, edge, far):
            groups[-1].append(line)
        else:
            groups.append([line])
    known = {word for line in lines for word in re.findall(r"\w+-\w+", line.text)}
    return [_joined_lines([line.text for line in group], known) for group in groups]


def _goes_on(before: Line, line: Line, pitch: float, edge: float, far: float) -> bool:
    """Does the paragraph go on? Not after a gap, in another size, at an indent, or after a line that ends early with a full stop."""
    size = max(before.size, line.size)
    gap = before.y - line.y
    if gap > 1.35 * max(pitch, size) or gap < 0 or abs(before.size - line.size) > 0.18 * size:
        return False
    if line.left - edge > 0.7 * size and before.left - edge < 0.4 * size and line.left - edge < 6 * size:
        return before.text[-1:].isalnum() and line.text[:1].islower()
    return not (far - before.right > 3 * size and re.search(r"[.!?:]['\"”)\]]*$", before.text))


def _joined_lines(texts: Sequence[str], known: set[str]) -> str:
    """Lines as one paragraph. A hyphen at a line's end goes where a small letter follows, unless the word has it elsewhere too."""
    text = texts[0]
    for following in texts[1:]:
        cut = re.search(r"(\w+)[-\u00ad\u2010]$", text)
        if cut and following[:1].islower():
            word = re.match(r"\w+", following)
            keeps = f"{cut.group(1)}-{word.group() if word else ''}" in known
            text = f"{text[:-1]}-{following}" if keeps else text[:-1] + following
        elif cut and text.endswith("-") and following[:1].isalnum():
            text += following  # "COVID-" "19", "Anglo-" "American"
        else:
            text = f"{text} {following}"
    return text.replace("\u00ad", "")


def _without_tables(lines: Sequence[Line], counted: Counter[str]) -> list[Line]:
    """Rows of cells, and single lines among them, go where there are TABLE_ROWS of them or more."""
    kept: list[Line] = []
    at = 0
    while at < len(lines):
        end, rows, last = at, 0, at
        while end < len(lines) and (lines[end].is_row or (end - last <= 1 and rows)):
            if lines[end].is_row:
                rows, last = rows + 1, end
            end += 1
        if rows >= TABLE_ROWS:
            counted["pdf:tables"] += 1
            counted["pdf:table_rows"] += rows
            at = last + 1
        else:
            kept.append(lines[at])
            at += 1
    return kept


def without_running_lines(pages: Sequence[Page], counted: Counter[str]) -> list[Page]:
    """Pages without what comes again at their head or foot on a fifth of them (and on two at least), and without page numbers.

    Digits count as equal: "Journal 12 (2004) 3" comes again as "Journal 12 (2004) 5".
    """
    edges = [_edge_lines(page) for page in pages]
    met = Counter(key for page in edges for key in {key for key, _ in page})
    often = max(2, len(pages) / 5)
    cleaned = []
    for page, lines in zip(pages, edges, strict=True):
        gone = []
        for key, line in lines:
            is_number = _holds_page_number(line)
            if met[key] >= often or is_number:
                gone.append(line)
                counted["pdf:page_numbers" if is_number else "pdf:running_lines"] += 1
        spans = [(run.y, run.left, run.right, 0.4 * run.size) for line in gone for run in line.cells]
        glyphs = page.glyphs
        if spans:
            glyphs = tuple(
                glyph for glyph in glyphs
                if not any(abs(glyph.y - y) < near and left - 1 <= glyph.left <= right + 1 for y, left, right, near in spans)
            )  # fmt: skip
        cleaned.append(replace(page, glyphs=glyphs))
    return cleaned


def _edge_lines(page: Page) -> list[tuple[tuple[str, str], Line]]:
    """The first and last lines of a page, with what they are recognised by."""
    lines = _lines(runs_of(page))
    head, foot = lines[:_MARGIN_LINES], lines[max(_MARGIN_LINES, len(lines) - _MARGIN_LINES) :]
    named = [("head", line) for line in head] + [("foot", line) for line in foot]
    keyed = [((where, re.sub(r"\d+", "#", line.text.lower())), line) for where, line in named]
    outer = {id(line) for line in (*lines[:2], *lines[-2:])}
    return [(key, line) for key, line in keyed if not _holds_page_number(line) or id(line) in outer]


def _holds_page_number(line: Line) -> bool:
    """A number alone, or one that stands apart from a few words: "12     A JOURNAL"."""
    ends = (line.cells[0].text, line.cells[-1].text) if len(line.cells) > 1 and len(line.text) < 80 else (line.text,)
    return any(_NUMBER_LINE.match(text) for text in ends)
