"""What the repository says about itself is true."""

import json
import re
import shutil
import subprocess
from pathlib import Path


def tracked(repository: Path) -> list[Path]:
    """Return the files that git tracks."""
    git = shutil.which("git")
    assert git
    listed = subprocess.run([git, "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True).stdout
    return [repository / name for name in listed.split("\0") if name]


def pages(repository: Path) -> list[Path]:
    """Return the pages that explain the repository."""
    return [path for path in tracked(repository) if path.name in ("README.md", "CONTRIBUTING.md")]


def test_commands_of_the_readmes_exist(repository: Path) -> None:
    """Every make target that a README or CONTRIBUTING.md names exists."""
    makefile = (repository / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for page in pages(repository):
        assert set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE)) <= targets, page


def test_files_of_the_readmes_exist(repository: Path) -> None:
    """Every file that a README or CONTRIBUTING.md links to exists."""
    for page in pages(repository):
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert "://" in link or (page.parent / link).exists(), f"{page}: {link}"


def test_no_registry_address(repository: Path) -> None:
    """No file says where packages come from: each machine decides that."""
    for path in (path for path in tracked(repository) if path.name == "package-lock.json"):
        lock = json.loads(path.read_text())
        assert not [name for name, package in lock["packages"].items() if "resolved" in package], path
    address = re.compile(
        "|".join([r"pypi\." + "org", r"registry\.npmjs" + r"\.org", "pythonhosted" + r"\.org", "index" + "-url"])
    )
    for path in tracked(repository):
        text = path.read_text(errors="ignore")
        assert not address.search(text), path


def test_every_requirement_is_pinned(repository: Path) -> None:
    """Every package that is asked for by name has its version in the constraints."""
    pins = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (repository / "constraints.txt").read_text().split()
    }
    asked = (repository / "tests" / "requirements.txt").read_text().splitlines()
    names = {re.split(r"[\[=<>~ ]", line)[0].lower().replace("_", "-") for line in asked if line and line[0] != "#"}
    assert names <= pins
