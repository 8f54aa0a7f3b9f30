"""Sections in the terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Printed
from rich.text import Text

from tests.costs.show.tables import Section, Table

_STYLES = {"good": "green", "bad": "bold red", "unknown": "dim"}


def show(sections: Sequence[Section], answer: Sequence[str], console: Console) -> None:
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
