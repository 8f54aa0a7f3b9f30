"""Requests made by Schemathesis from the served description: what fits it, and what does not."""

from typing import Any

import schemathesis
from hypothesis import given, seed
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.fuzz.examples import examples
from tests.fuzz.tally import Tally
from tests.support.running_twin import RunningTwin

# A schema cannot say that a title has something to be seen and nothing else that is not, nor in which state a todo is.
REFUSED_THOUGH_DESCRIBED = ["2xx", "404", "409", "422"]
# The HTTP server's own answer, before the API sees the request.
URI_TOO_LONG = 414
REFUSED = ["400", "404", "413", "415", "422"]


def ask_as_described(twin: RunningTwin, number: int, tally: Tally, start: int) -> None:
    """Send about so many requests of each kind, valid and not, and hold each answer against the description.

    `start` is the seed. Raises what Schemathesis finds: an answer that is not described, or has another body or
    headers than described; a good request that is refused, a bad one that is accepted.
    """
    schema = schemathesis.openapi.from_url(f"{twin.url}/api/openapi.json")
    schema.config.checks.positive_data_acceptance.expected_statuses = REFUSED_THOUGH_DESCRIBED
    schema.config.checks.negative_data_rejection.expected_statuses = REFUSED
    with tally.session() as session:
        for mode in GenerationMode:

            @seed(start)
            @examples(number)
            @given(case=schema.as_strategy(generation_mode=mode), known=st.booleans())
            def answered_as_described(case: Case[Any], known: bool) -> None:
                if known and "todo_id" in case.path_parameters:
                    case.path_parameters["todo_id"] = twin.add("known")["id"]
                response = case.call(session=session)
                if response.status_code != URI_TOO_LONG:
                    case.validate_response(response)

            answered_as_described()
