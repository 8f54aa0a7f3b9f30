"""Pages of reports: each is one HTML file that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: Path, **values: object) -> str:
    """Return the page of a template, which extends base.html.j2 here and may include the files beside it."""
    folders = [template.parent, Path(__file__).parent]
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template.name).render(values)


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: 1 client, 32 clients, 1,000 operations."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
