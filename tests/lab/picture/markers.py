"""A generated part of a Markdown file: what stands between its markers, `<!-- name -->` and `<!-- /name -->`."""

from dataclasses import dataclass
from pathlib import Path


class NoMarkersError(ValueError):
    """The file has no place for the text."""


@dataclass(frozen=True)
class Section:
    """One such part."""

    name: str

    @property
    def begin(self) -> str:
        """The marker before it."""
        return f"<!-- {self.name} -->"

    @property
    def end(self) -> str:
        """The marker after it."""
        return f"<!-- /{self.name} -->"

    def write(self, path: Path, text: str) -> None:
        """Put the text between the markers.

        Raises:
            NoMarkersError: the file does not have each marker once, in order.

        """
        before, _, after = self._parts(path)
        path.write_text(f"{before}{self.begin}\n{text}\n{self.end}{after}", encoding="utf-8")

    def says(self, path: Path, text: str) -> bool:
        """Return whether what is between the markers is this text.

        Raises:
            NoMarkersError: the file does not have each marker once, in order.

        """
        _, between, _ = self._parts(path)
        return between.strip() == text.strip()

    def _parts(self, path: Path) -> tuple[str, str, str]:
        text = path.read_text(encoding="utf-8")
        begin, end = self.begin, self.end
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise NoMarkersError(f"{path.name} needs the lines {begin} and {end} once each, in this order")
        before, rest = text.split(begin)
        between, after = rest.split(end)
        return before, between, after
