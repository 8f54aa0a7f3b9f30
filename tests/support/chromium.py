"""The Chromium that tests drive: the machine's, or else Playwright's own. `make browser` installs one."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

# The first has no windows, so it takes half the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NEEDED = "there is no Chromium that starts on this machine: make browser installs one, or says what to do"

_OWN = {"PLAYWRIGHT_BROWSERS_PATH": str(Path(sys.prefix) / "browsers")}
"""Where Playwright puts its own, so that `make clean` removes it."""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_SECONDS = 600


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Return a headless Chromium that runs until the end.

    Raises playwright.sync_api.Error if there is none that starts.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    os.environ |= _OWN
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


def install() -> None:
    """Install a Chromium, unless there is one that starts; the system's packages only as root, and after saying so."""
    if _starts():
        return
    _say("there is no Chromium on this machine: downloading Playwright's")
    playwright = (sys.executable, "-m", "playwright")
    if _done([*playwright, "install", "--only-shell", "chromium"]):
        if _starts():
            return
        packages: Sequence[Sequence[str]] = [[*playwright, "install-deps", "chromium"]]
    else:
        packages = [["apt-get", "update"], *(["apt-get", "install", "-y", name] for name in NAMES[:2])]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(
            f"browser: no Chromium starts here, so the browser tests are left out. Install one of {', '.join(NAMES)}"
        )
    for command in packages:
        _say(f"installing packages of the system ({' '.join(command)})")
        _done(command)
        if _starts():
            return
    sys.exit("browser: no Chromium could be installed, so the browser tests are left out")


def _starts() -> bool:
    try:
        with started():
            return True
    except Error:
        return False


def _done(command: Sequence[str]) -> bool:
    env = {**os.environ, **_OWN, "DEBIAN_FRONTEND": "noninteractive"}
    with contextlib.suppress(subprocess.TimeoutExpired):
        return not subprocess.run(command, env=env, capture_output=True, check=False, timeout=_SECONDS).returncode
    return False


def _say(text: str) -> None:
    print(f"browser: {text} ...", flush=True)


if __name__ == "__main__":
    install()
