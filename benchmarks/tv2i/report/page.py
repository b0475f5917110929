"""A report as one HTML page without network access or scripts.

Whatever comes from outcomes or runs enters as escaped text; the page's own policy forbids scripts
and all that is not inside it.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from sow.batch.gallery.gallery import inline_hash
from sow.benchmarks.tv2i.report.grid import Grid, GridCell
from sow.benchmarks.tv2i.report.pictures import Sheet, Tile, data_uri
from sow.benchmarks.tv2i.report.report import Report, Section

TEMPLATE = Path(__file__).with_name("page.html")
TONES = {"better": "better", "worse": "worse", "other": "differs"}


def page(made: Report) -> str:
    """Return a report as an HTML page."""
    template = TEMPLATE.read_text(encoding="utf-8")
    given = {
        "policy": f"default-src 'none'; img-src data:; style-src {inline_hash(template, 'style')}; "
        "base-uri 'none'; form-action 'none'",
        "title": text(made.title),
        "contents": "".join(
            f'<li><a href="#s{n}">{text(one.title)}</a></li>' for n, one in enumerate(made.sections)
        ),
        "facts": "".join(
            f'<div><dt dir="auto">{text(name)}</dt><dd dir="auto">{text(value)}</dd></div>'
            for name, value in made.facts
        ),
        "sections": "".join(_section(one, n, made.labels) for n, one in enumerate(made.sections)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: given[place[1]], template)


def text(value: str) -> str:
    """Escape a text; unpaired surrogates are replaced."""
    return html.escape(value.encode(errors="replace").decode())


def _section(section: Section, place: int, labels: object) -> str:
    words = "".join(f'<p dir="auto">{text(one)}</p>' for one in section.words)
    grids = "".join(_grid(one, section.title) for one in section.grids)
    shown = _sheet(section.sheet, labels) if section.sheet else ""
    return f'<section id="s{place}"><h2>{text(section.title)}</h2>{words}{grids}{shown}</section>'


def _grid(grid: Grid, under: str) -> str:
    title = "" if grid.title == under else f"<h3>{text(grid.title)}</h3>"
    head = "".join(f'<th scope="col" dir="auto">{text(name)}</th>' for name in grid.head)
    rows = "".join(f"<tr>{''.join(_cell(said) for said in row)}</tr>" for row in grid.rows)
    notes = "".join(f"<li>{text(note)}</li>" for note in grid.notes)
    notes = f'<ul class="notes">{notes}</ul>' if notes else ""
    kind = "table theirs" if grid.quoted else "table"
    label = text(grid.title)
    return (
        f'<div class="{kind}">{title}<div class="wide" tabindex="0" role="region" '
        f'aria-label="{label}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{notes}</div>"
    )


TOGETHER = re.compile(r"\[[^\]]*\]|\b(?:n|p|Holm) [=<]? ?[\d.]+|\(\d+ pairs\)")
"""What is not broken in narrow columns: an interval, a count, a p value."""


def _cell(cell: GridCell) -> str:
    unbroken = (
        TOGETHER.sub(lambda some: some[0].replace(" ", "\u00a0"), one) for one in cell.lines
    )
    lines = "".join(f"<small>{text(line)}</small>" for line in unbroken)
    if cell.tone == "head":
        return f'<th scope="row" dir="auto">{text(cell.main)}{lines}</th>'
    mark = TONES.get(cell.tone, "")
    badge = f' <span class="mark {cell.tone}">{mark}</span>' if mark else ""
    main = f"<b>{text(cell.main)}</b>" if lines else text(cell.main)
    return f'<td dir="auto">{main}{badge}{lines}</td>'


def _sheet(sheet: Sheet, labels: object) -> str:
    known = labels if isinstance(labels, dict) else {}
    strips = []
    names = [known.get(method, method) for method in sheet.methods]
    for strip in sheet.strips:
        tiles = [_tile("planted", strip.condition)]
        tiles += [_tile(name, one) for name, one in zip(names, strip.results, strict=True)]
        strips.append(
            f'<article><p class="prompt"><span dir="auto">{text(strip.prompt)}</span> '
            f'<small dir="auto">{text(strip.pair)}</small></p>'
            f'<div class="strip">{"".join(tiles)}</div></article>'
        )
    return f'<div class="sheet">{"".join(strips)}</div>'


def _tile(name: str, tile: Tile) -> str:
    label = text(name)
    shown = (
        f'<img src="{data_uri(tile.picture)}" alt="{label}" loading="lazy">'
        if tile.picture
        else '<div class="none">no picture</div>'
    )
    caption = f'<small dir="auto">{text(tile.caption)}</small>' if tile.caption else ""
    return f'<figure>{shown}<figcaption dir="auto">{label}{caption}</figcaption></figure>'
