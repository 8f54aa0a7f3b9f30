"""Sections as text: in the terminal, and as Markdown."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Printed
from rich.text import Text

from tests.costs.show.tables import Judged, Section, Table, TableCell

_STYLES = {"good": "green", "bad": "bold red", "unknown": "dim"}


def print_all(sections: Sequence[Section], answer: Sequence[str], console: Console) -> None:
    """Print all tables, the first section last, where it is seen, and the answer after it."""
    for section in reversed(sections):
        for table in section.tables:
            console.print(_printed(table))
            if table.note:
                console.print(table.note, highlight=False, markup=False)
        for about, text in section.notes:
            console.print(f"{about}: {text}", highlight=False, markup=False)
    for sentence in answer:
        console.print(sentence, highlight=False, markup=False)


def _printed(table: Table) -> Printed:
    printed = Printed(title=table.caption, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(table.head):
        is_word = number < table.words
        head = name if is_word else name.replace(" ", "\n")
        cells = [*head.split("\n"), *(str(row.cells[number]) for row in table.rows)]
        # In a narrow terminal cells are broken, and no word is cut.
        longest, word = (max(map(len, texts), default=0) for texts in (cells, " ".join(cells).split()))
        printed.add_column(head, justify="left" if is_word else "right", min_width=word, no_wrap=longest == word)
    for row in table.rows:
        printed.add_row(*(Text(str(cell), _STYLES.get(getattr(cell, "judgement", ""), "")) for cell in row.cells))
    return printed


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


def _line(cells: Sequence[TableCell]) -> str:
    strong = (f"**{cell}**" if isinstance(cell, Judged) and cell.judgement == "bad" else str(cell) for cell in cells)
    return f"| {' | '.join(strong)} |"
