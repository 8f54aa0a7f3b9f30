"""Sections as Markdown."""

from collections.abc import Sequence

from tests.costs.show.tables import Cell, Judged, Section, Table


def sections_in_markdown(sections: Sequence[Section], level: int = 2) -> str:
    """Return the sections, each under a heading of this level."""
    parts: list[str] = []
    for section in sections:
        parts += [f"{'#' * level} {section.title}", section.intro]
        for table in section.tables:
            caption = f"**{table.caption}**" if len(section.tables) > 1 else ""
            parts += [caption, table_in_markdown(table), table.note]
        parts.append("\n".join(f"- **{about}**: {text}" for about, text in section.notes))
    return "\n\n".join(part for part in parts if part)


def table_in_markdown(table: Table) -> str:
    """Return a table; what is bad is strong."""
    rule = ["---"] * table.words + ["--:"] * (len(table.head) - table.words)
    lines = [_line(table.head), f"|{'|'.join(rule)}|", *(_line(row.cells) for row in table.rows)]
    return "\n".join(lines)


def _line(cells: Sequence[Cell]) -> str:
    strong = (f"**{cell}**" if isinstance(cell, Judged) and cell.judgement == "bad" else str(cell) for cell in cells)
    return f"| {' | '.join(strong)} |"
