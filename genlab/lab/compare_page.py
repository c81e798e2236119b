"""A comparison as one HTML page that needs nothing but itself: its pictures are in it."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path

from genlab.lab import compare_figures
from genlab.lab.compare import Comparison, Rows, legend, pair_rows, score_rows, setting_rows
from genlab.lab.groups import Run

STYLE = Path(__file__).with_name("compare.css")


def page(comparison: Comparison, links: Mapping[Path, str] | None = None) -> str:
    """The page; `links` are addresses of the runs' own pages by their folders, where they have some."""
    parts = [
        _section("What differs", _table(comparison, setting_rows(comparison))),
        _section("Scores", _figure(comparison, compare_figures.scores(comparison)), *_tables(comparison)),
        _section("Curves", _figure(comparison, compare_figures.curves(comparison))),
        _section("Samples", *_samples(comparison)),
        _section("How to read this", *(f"<p class=note>{escape(line)}</p>" for line in _words(comparison))),
        _section("Runs", *_runs(comparison, links or {})),
    ]
    title = escape(comparison.title)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE.read_text()}</style>'
    body = f"<h1>{title}</h1>\n{''.join(parts)}"
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}</body>\n</html>\n'


def _section(title: str, *parts: str) -> str:
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>\n" if body else ""


def _words(comparison: Comparison) -> list[str]:
    return [f"{compare_figures.marks(comparison.bootstrap)}.", *legend(comparison), *comparison.notes]


def _tables(comparison: Comparison) -> list[str]:
    parts = []
    for table in comparison.tables:
        parts.append(f"<p class=note>{escape(table.about)}</p>")
        if table.apart:
            parts.append(f"<p class=apart>not compared with {escape(table.apart)}</p>")
        parts += [_table(comparison, rows) for rows in (score_rows(comparison, table), pair_rows(comparison, table))]
    return parts


def _table(comparison: Comparison, rows: Rows) -> str:
    """Rows under a head; a cell that is a configuration's letter has its colour."""
    if not rows:
        return ""
    marked = {group.name: _letter(comparison, number) for number, group in enumerate(comparison.groups)}
    head, *others = [[marked.get(cell) or escape(cell) for cell in row] for row in rows]
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in others]
    return "<table>" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>"


def _letter(comparison: Comparison, number: int) -> str:
    return f'<b style="background:{compare_figures.colour(number)}">{comparison.groups[number].name}</b>'


def _figure(comparison: Comparison, block: compare_figures.Block | None) -> str:
    return _image(compare_figures.png([block]), f"drawing of {comparison.title}") if block else ""


def _image(content: bytes, text: str) -> str:
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{b64encode(content).decode()}">'


def _samples(comparison: Comparison) -> list[str]:
    """A row to an iteration, a column to a configuration."""
    columns = f"grid-template-columns: repeat({len(comparison.groups)}, minmax(120px, 420px))"
    rows = []
    for shown in reversed(comparison.samples):
        cells = [
            f"<figure><figcaption>{_letter(comparison, number)} iteration {shown.step:,}, seed {run.seed}</figcaption>"
            f"{_image(file.read_bytes(), f'samples of {comparison.groups[number].name}')}</figure>"
            for number, (run, file) in enumerate(zip(comparison.pictured, shown.files, strict=True))
        ]
        rows.append(f'<div class=samples style="{columns}">{"".join(cells)}</div>')
    return rows


def _runs(comparison: Comparison, links: Mapping[Path, str]) -> list[str]:
    return [
        f"<p>{_letter(comparison, number)} {', '.join(_run(run, links) for run in group.runs)}</p>"
        for number, group in enumerate(comparison.groups)
    ]


def _run(run: Run, links: Mapping[Path, str]) -> str:
    name, link = escape(str(run.folder.path)), links.get(run.folder.path)
    return f'<a href="{escape(link)}">{name}</a>' if link else name
