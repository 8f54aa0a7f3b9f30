"""A browser without JavaScript."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from bs4 import BeautifulSoup

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Form:
    """A form of a page as one of its buttons submits it: where it goes and what it carries."""

    action: str
    fields: Mapping[str, str]


class Browser:
    """A client of the pages that keeps cookies and sends forms back as they were rendered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def close(self) -> None:
        """Close its connections."""
        self.session.close()

    def get(self, path: str = "/") -> requests.Response:
        """Get a page."""
        return self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)

    def texts(self, selector: str, response: requests.Response | None = None) -> list[str]:
        """Return the texts of elements of a page, by default of the list."""
        return [element.get_text() for element in self._parsed(response).select(selector)]

    def notices(self, response: requests.Response | None = None) -> list[str]:
        """Return what a page says became of earlier writes."""
        return self.texts("[role=status]", response)

    def forms(self, response: requests.Response | None = None) -> list[Form]:
        """Return the forms of a page, by default of the list: each as often as it has buttons."""
        page, forms = self._parsed(response), []
        for form in page.find_all("form"):
            outside = page.select(f"[form='{form['id']}']") if "id" in form.attrs else []
            parts = [part for part in form.select("input, button") if "form" not in part.attrs] + outside
            fields = {str(f["name"]): str(f.get("value", "")) for f in parts if f.name == "input" and "name" in f.attrs}
            for button in (part for part in parts if part.name == "button"):
                own = {str(button["name"]): str(button["value"])} if "name" in button.attrs else {}
                action = str(button.get("formaction") or form["action"])
                forms.append(Form(action, {**fields, **own}))
        return forms

    def form(self, pattern: str, response: requests.Response | None = None) -> Form:
        """Return the first form whose action matches the pattern."""
        found = [form for form in self.forms(response) if re.search(pattern, form.action)]
        assert found, f"no form with action {pattern}"
        return found[0]

    def submit(self, form: Form, **changes: str) -> requests.Response:
        """Submit a form with these fields changed; redirects are not followed."""
        return self.session.post(
            self.url + form.action, data={**form.fields, **changes}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )

    def _parsed(self, response: requests.Response | None) -> BeautifulSoup:
        return BeautifulSoup((self.get() if response is None else response).text, "html.parser")
