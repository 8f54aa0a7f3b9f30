"""Follows a document: executes its commands and compares what they print with what the page shows.

A block's language says what it is. `bash` is executed; a `text` block right below it is its output, and without one it
must print nothing. In an output, `...` stands for any characters, and for any lines where it is a line of its own. A
comment above a block, which the page does not show, says more:

    <!-- not executed: REASON -->             of commands; those of TESTED_ELSEWHERE need none
    <!-- in containers -->                    of commands: executed only by a reader who has a container engine
    <!-- a moment later -->                   of commands that may be repeated: until they print this
    <!-- file NAME -->                        of another language: the content of a file
    <!-- file NAME before "TEXT" -->          of another language: put into a file, before this text
    <!-- file NAME from "TEXT" to "TEXT" -->  of another language: replaces these lines of a file
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from sybil import Document, Example, Region, Sybil

from tests.support.up import settings_of
from tests.support.waiting import StillMissingError, until
from tests.walkthrough.shell import Shell
from todo_stack.ports import Ports

TESTED_ELSEWHERE = re.compile(
    r"make (up|up-basic|up-restate|test|lab|compare|chaos|fuzz|bench|bench-peers)( [A-Z]+=('[^']*'|\S+))*( +#.*)?"
)
"""Commands that take long, or do not end; other tests run these targets."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]+) -->\n)?^```(?P<language>[^\n]*)\n(?P<source>.*?)^```\n"
    r"(?:\n?^```text\n(?P<expected>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r'file (\S+)(?: before "(.*?)"| from "(.*?)" to "(.*?)")?')
_IN_CONTAINERS, _A_MOMENT_LATER = "in containers", "a moment later"
_OF_COMMANDS = re.compile(rf"|{_IN_CONTAINERS}|{_A_MOMENT_LATER}|not executed: \S.*")
_PICTURES = {"mermaid"}


@dataclass
class Reader:
    """Somebody who follows documents, with a shell, a folder and ports of their own."""

    shell: Shell
    folder: Path
    """Where the files are that a document shows."""
    ports: Mapping[int, int]
    """From each port that a document names to the reader's own."""
    printed_elsewhere: Mapping[str, str] = field(default_factory=dict)
    """What commands have printed that run in another terminal."""
    containers: bool | None = None
    """Whether the reader tries the blocks for containers, and only these; None where no page may have any."""
    executed: int = 0
    """How many blocks of commands were executed."""

    def follow(self, path: Path) -> None:
        """Do what the document says, from top to bottom.

        Raises SybilFailure, with the line of the block, if something else was printed than the page shows.
        """
        document = Sybil([self._blocks]).parse(path)
        for example in document:
            example.evaluate()
        prose = _BLOCK.sub("", document.text)
        assert "```" not in prose, f"{path.name}: ``` must be at the start of a line, and only there"
        assert not re.search(r"\n\n( {4}|\t)|~~~|<pre", prose), f"{path.name}: a block of code has no language"

    def _blocks(self, document: Document) -> Iterator[Region]:
        for block in _BLOCK.finditer(document.text):
            yield Region(block.start("language"), block.end(), block, self._evaluate)

    def _evaluate(self, example: Example) -> str | None:
        """Return what is wrong with the block, if anything."""
        block, comment = example.parsed, example.parsed["comment"] or ""
        if block["language"] == "bash" and _OF_COMMANDS.fullmatch(comment):
            return self._try(block["source"], block["expected"] or "", comment)
        if change := _FILE.fullmatch(comment):
            self._write(block["source"], *change.groups())
        elif block["language"] not in _PICTURES or comment:
            return f"nobody knows what to do with a block of {block['language']!r} and the comment {comment!r}"
        return None

    def _try(self, commands: str, expected: str, comment: str) -> str | None:
        if printed := self.printed_elsewhere.get(commands.strip()):
            return self._difference(printed, expected)
        if comment.startswith("not executed") or all(map(TESTED_ELSEWHERE.fullmatch, commands.splitlines())):
            return "nobody compares this output" if expected else None
        if expected.strip() == "...":
            return "an output of any lines says nothing"
        if comment == _IN_CONTAINERS and self.containers is None:
            return "nobody executes the containers of this page"
        if bool(self.containers) != (comment == _IN_CONTAINERS):
            return None
        self.executed += 1
        difference = None

        def agrees() -> bool:
            nonlocal difference
            difference = self._difference(self.shell.run(self._renumbered(commands)), expected)
            return difference is None

        if not agrees() and comment == _A_MOMENT_LATER:
            with contextlib.suppress(StillMissingError):
                until(agrees, "what the page shows")
        return difference

    def _difference(self, printed: str, expected: str) -> str | None:
        """Say how this differs from what the page shows, if it does."""
        printed = _trimmed(self._renumbered(printed, back=True))
        return None if _pattern(expected).fullmatch(printed) else f"printed:\n{printed}\nthe page shows:\n{expected}"

    def _renumbered(self, text: str, *, back: bool = False) -> str:
        """Return the text with the reader's ports, or back with the document's; nothing else is changed."""
        ports = {own: named for named, own in self.ports.items()} if back else self.ports
        return re.sub(r"\b\d{4,5}\b", lambda number: str(ports.get(int(number[0]), number[0])), text)

    def _write(self, source: str, name: str, before: str | None, first: str | None, last: str | None) -> None:
        """Write the file, or change it."""
        file = self.folder / name
        if begin := before or first:
            head, found, tail = file.read_text().partition(begin)
            assert found, f"{name} has no {begin}"
            if last:
                assert last in tail, f"{name} has no {last}"
                tail = tail.partition(last)[2].partition("\n")[2]
            source = head + source + (found + tail if before else tail)
        file.write_text(source)


def numbers(ports: Ports, servers: int = 1) -> dict[int, int]:
    """Return these ports by those that the documents name, for so many servers of each kind."""
    named = [(getattr(Ports(), port.name), getattr(ports, port.name)) for port in fields(ports)]
    return {name + by: own + by for by in reversed(range(servers)) for name, own in named}


def environment(ports: Ports) -> dict[str, str]:
    """Return an environment in which the commands of the documents use these ports."""
    # Under make, a make in a block would speak of the folders that it enters.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return inherited | settings_of(ports)


def _pattern(expected: str) -> "re.Pattern[str]":
    """Return what matches an output that is as expected."""
    escaped = re.escape(_trimmed(expected)).replace("\\\n", "\n")
    any_lines = re.sub(r"^\\\.\\\.\\\.\n", lambda _: r"(?:.*\n)*", escaped, flags=re.MULTILINE)
    return re.compile(any_lines.replace(re.escape("..."), ".*"))


def _trimmed(text: str) -> str:
    """Return the text without blanks at the ends of lines and empty lines at its end."""
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())
