"""What does a user read if the route does not look at Restate's answer?

The article's route posts the form and redirects. A redirect is what a user reads as "done": also when the service has
refused, or when Restate has never heard of it. And because the route sends no key, each click is a call of its own.
"""

from flask import Flask

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.article.article_routes import create_app
from tests.scenarios.article.running import Article
from tests.scenarios.conftest import only_restate
from tests.support.history import ClientOperation, Outcome, Verdict
from tests.support.running_twin import new_key
from tests.support.user import new_name, verdict_on


def submitted(routes: Flask, path: str, operation: ClientOperation) -> ClientOperation:
    """Submit a form of the article's application; a redirect tells its user that it worked."""
    answer = routes.test_client().post(path, data={"task": operation.marker})
    operation.record(Outcome.OK if answer.status_code == 302 else Outcome.FAIL, answer.status)
    return operation


def test_refusal(article: Article) -> None:
    """The service gives a delete up, the route redirects as if it were done, and the todo is still there."""
    twin, database = article.lab.twin, article.lab.stack.servers["db"]
    todo = twin.add(new_name("doomed"))
    database.kill()
    operation = ClientOperation("delete", todo["title"], new_key(), todo["id"])
    submitted(create_app(twin.stack.ports.ingress_url), f"/delete/{todo['id']}", operation)
    database.start()

    assert operation.outcome is Outcome.OK
    assert verdict_on(twin, operation) is Verdict.LOST


@only_restate
def test_service_that_nobody_registered(lab: Laboratory) -> None:
    """Nothing in the article tells Restate where the service is: its ingress answers 404, and the user reads "done"."""
    twin = lab.twin
    routes = create_app(twin.stack.ports.ingress_url, "UnregisteredService")
    operation = submitted(routes, "/add", ClientOperation("add", new_name("milk"), new_key()))
    assert verdict_on(twin, operation) is Verdict.LOST


def test_two_clicks(article: Article) -> None:
    """Two clicks are two todos with the article's route, although Restate is there; test_double_click has ours."""
    twin = article.lab.twin
    routes = create_app(twin.stack.ports.ingress_url)
    articles = ClientOperation("add", new_name("milk"), new_key())
    for _ in range(2):
        submitted(routes, "/add", articles)

    assert verdict_on(twin, articles) is Verdict.DUPLICATED
