"""What the repository says about itself is true, and its commands do what they say."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.write_path import restate_version
from todo_stack.paths import REPOSITORY


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command at the top of the repository."""
    env, command = {**os.environ, **environment}, ("/usr/bin/env", *command)
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)


def tracked() -> list[Path]:
    """Return the files that git tracks."""
    listed = run("git", "ls-files", "-z")
    assert listed.returncode == 0, listed.stderr
    return [REPOSITORY / name for name in listed.stdout.split("\0") if name]


def pages() -> list[Path]:
    """Return the pages that explain the repository."""
    return [path for path in tracked() if path.suffix == ".md" and "vendor" not in path.parts]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_of_the_pages_exist() -> None:
    """Every make target that a page names exists."""
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for page in pages():
        assert set(re.findall(r"(?:^(?: {4})?|`)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE)) <= targets, page


def test_files_of_the_pages_exist() -> None:
    """Every file that a page links to, shows, or gives to make test, exists."""
    for page in pages():
        assert all((REPOSITORY / name).exists() for name in re.findall(r"ARGS=(tests/[\w/.]+)", page.read_text())), page
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        for link in links + re.findall(r'src(?:set)?="([^"]+)"', page.read_text()):
            assert "://" in link or (page.parent / link).exists(), f"{page}: {link}"


def test_anchors_of_the_pages_exist() -> None:
    """Every heading that a page links to, of its own or of another page, is there."""
    links = [
        (page, page.parent / file if file else page, anchor)
        for page in pages()
        for file, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", page.read_text())
    ]
    assert links
    # An alert says where to read what to do.
    for file in (path for path in tracked() if path.suffix == ".yml"):
        told = re.findall(r"([\w/-]+\.md)#([\w-]+)", file.read_text())
        links += [(file, REPOSITORY / page, anchor) for page, anchor in told]
    assert [f"{page}: {to.name}#{anchor}" for page, to, anchor in links if anchor not in anchors(to)] == []


def test_tests_of_the_pages_exist() -> None:
    """Every test that a page names, with a link to its file, is there."""
    named = [
        (name, page.parent / file)
        for page in pages()
        for name, file in re.findall(r"\[(test_\w+)\]\(([^)]+\.py)\)", page.read_text())
    ]
    assert named
    assert [f"{file.name}: {name}" for name, file in named if f"def {name}(" not in file.read_text()] == []


def test_no_registry_address() -> None:
    """No file says where packages come from: each machine decides that."""
    for path in (path for path in tracked() if path.name == "package-lock.json"):
        lock = json.loads(path.read_text())
        assert not [name for name, package in lock["packages"].items() if "resolved" in package], path
    address = re.compile(
        "|".join([r"pypi\." + "org", r"registry\.npmjs" + r"\.org", "pythonhosted" + r"\.org", "index" + "-url"])
    )
    for path in tracked():
        assert not address.search(path.read_text(errors="ignore")), path


def test_every_requirement_is_pinned() -> None:
    """Every package that is asked for by name has its version in the constraints."""
    lines = (REPOSITORY / "constraints.txt").read_text().split()
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    asked = (REPOSITORY / "tests" / "requirements.txt").read_text().splitlines()
    names = {re.split(r"[\[=<>~ ]", line)[0].lower().replace("_", "-") for line in asked if line and line[0] != "#"}
    assert names <= pins


@pytest.mark.parametrize("target", ["up-basic", "up-restate", "deploy"])
def test_without_docker(target: str) -> None:
    """Where Docker does not answer, `make ... DOCKER=1` says so in its first line, and what to do without it."""
    done = run("make", "--silent", target, "DOCKER=1", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode != 0
    assert done.stderr.startswith("This needs Docker with its compose plugin")
    assert "Without Docker: make up-basic" in done.stderr.splitlines()[0]


def test_restate_has_one_version() -> None:
    """The server, its command line and the image are of the same version, pinned."""
    folder = REPOSITORY / "flask-todo-restate"
    packages = json.loads((folder / "package.json").read_text())["dependencies"]
    images = re.findall(r"restatedev/restate:(\S+)", (folder / "compose.yaml").read_text())
    assert images
    assert {*packages.values(), *images} == {restate_version(REPOSITORY)}
