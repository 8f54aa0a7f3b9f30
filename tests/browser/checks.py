"""What a page is checked for by programs: axe for accessibility, html-validate for HTML."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from todo_stack.paths import REPOSITORY

_TOOLS = REPOSITORY / ".lint"
_AXE = _TOOLS / "node_modules" / "axe-core" / "axe.min.js"
_RUN_AXE = "axe.run(document, {resultTypes: ['violations']}).then(results => results.violations)"


class Checks:
    """Finds what is wrong with a page."""

    def __init__(self) -> None:
        """Start the validator, which then takes one page after another."""
        self._axe = _AXE.read_text()
        # Node is beside Python where the machine has none.
        path = f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}"
        command = ["node", "validate_html.mjs"]
        self._validator = subprocess.Popen(
            command, cwd=_TOOLS, env={**os.environ, "PATH": path}, stdin=-1, stdout=-1, text=True, bufsize=1
        )

    def close(self) -> None:
        """End the validator."""
        self._validator.communicate()

    def html(self, text: str) -> list[str]:
        """Return what is wrong with a page's HTML, as the server sent it."""
        assert self._validator.stdin
        assert self._validator.stdout
        print(json.dumps(text), file=self._validator.stdin)
        return [f"HTML {found}" for found in json.loads(self._validator.stdout.readline())]

    def page(self, page: Page) -> list[str]:
        """Return what is wrong with a page as a browser with JavaScript shows it."""
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(self._axe)
        return [_in_words(violation) for violation in page.evaluate(_RUN_AXE)]


def _in_words(violation: dict[str, Any]) -> str:
    nodes: Sequence[dict[str, Any]] = violation["nodes"]
    return f"axe {violation['id']}: {violation['help']}: {'; '.join(node['html'] for node in nodes)}"
