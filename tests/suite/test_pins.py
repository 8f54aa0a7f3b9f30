"""Every image installs exactly what it needs, in the versions that the constraints decide, and checks each file."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.suite.test_repository import tracked
from todo_stack.paths import REPOSITORY

HASH = re.compile(r" --hash=sha256:[0-9a-f]{64}(?= |$)")


class Image(NamedTuple):
    """What a Dockerfile installs: in which ways, from which list, and which folders of ours."""

    file: Path
    commands: list[str]
    lines: list[str]
    """The list, each requirement with its hashes on one line."""
    projects: list[dict[str, dict[str, list[str]]]]
    """The pyproject.toml of each folder of ours."""

    @property
    def listed(self) -> list[Requirement]:
        """The requirements of the list; raises InvalidRequirement where a line is anything else."""
        return [Requirement(HASH.sub("", line)) for line in self.lines]


def images() -> list[Image]:
    """Return the images that are built of this repository, which are those with Python packages."""
    return [read(path) for path in tracked() if path.name == "Dockerfile" and "pip install" in path.read_text()]


def read(file: Path) -> Image:
    """Read a Dockerfile, the list beside it and the pyproject.toml of each folder that it installs."""
    commands = re.findall(r"pip install ([^&\n]+)", joined(file))
    folders = [name for command in commands for name in command.split() if name.startswith("./")]
    projects = [tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text()) for folder in folders]
    lines = joined(file.with_name("requirements.txt")).splitlines()
    return Image(file, commands, [line for line in lines if not line.startswith("#")], projects)


def joined(file: Path) -> str:
    """Return the text of a file in which a line that goes on is one."""
    return re.sub(r"\s*\\\n\s*", " ", file.read_text())


def needed(projects: list[dict[str, dict[str, list[str]]]]) -> set[str]:
    """Return the names of what these projects and their build need, and what that needs, on this machine."""
    ours = {canonicalize_name(str(project["project"]["name"])) for project in projects}
    asked = [(line, "") for at in projects for line in at["project"]["dependencies"] + at["build-system"]["requires"]]
    found: set[tuple[str, str]] = set()
    while asked:
        line, extra = asked.pop()
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if name in ours or not is_for_here(requirement, extra):
            continue
        for wanted in {"", *requirement.extras} - {extra for at, extra in found if at == name}:
            found.add((name, wanted))
            asked += [(line, wanted) for line in metadata.requires(name) or ()]
    return {name for name, _ in found}


def is_for_here(requirement: Requirement, extra: str = "") -> bool:
    """Whether this Python on this machine needs it, for an extra of the package that asks for it."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def test_images_install_only_what_is_listed() -> None:
    """Whatever comes from outside has a hash, brings nothing along, and is not built; the rest is not asked for."""
    assert len(images()) > 1
    for image in images():
        # This also asks an index for nothing: what an own folder is built with is installed by then.
        theirs = "--require-hashes --no-deps --only-binary :all: -r requirements.txt"
        ours = "--no-index --no-deps --no-build-isolation ./"
        outside = [command.strip() for command in image.commands if not command.startswith(ours)]
        assert outside == [theirs], image.file


def test_every_package_has_hashes() -> None:
    """A list has packages with their hashes and nothing else: no option, and no address."""
    for image in images():
        assert [line for line in image.lines if not HASH.search(line)] == [], image.file
        assert [requirement for requirement in image.listed if requirement.url] == [], image.file


def test_lists_are_what_the_images_need() -> None:
    """A list has what its image needs, and nothing else; so it was made anew when a pyproject.toml changed."""
    for image in images():
        names = [requirement.name for requirement in image.listed if is_for_here(requirement)]
        assert names == sorted(needed(image.projects)), f"{image.file}: make pins"


def test_versions_are_those_of_the_constraints() -> None:
    """A version is decided in one place; so a list was made anew when that changed."""
    pins = map(Requirement, (REPOSITORY / "constraints.txt").read_text().split())
    decided = {str(canonicalize_name(pin.name)): pin.specifier for pin in pins}
    for image in images():
        wrong = [str(each) for each in image.listed if each.specifier != decided.get(each.name)]
        assert wrong == [], f"{image.file}: make pins"
