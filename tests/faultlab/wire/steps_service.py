"""The smallest Restate service, for the tests of the wire: one step, which writes down in a file $RUNS that it ran."""

import os
from pathlib import Path

import restate

steps = restate.Service("Steps")
app = restate.app(services=[steps])


@steps.handler()
async def take(context: restate.Context, name: str) -> str:
    """Take one step; each time it runs adds the first word of `name` to the file."""

    def step() -> str:
        with Path(os.environ["RUNS"]).open("a") as runs:
            runs.write(f"{name.split()[0]}\n")
        return name

    return await context.run_typed("step", step)
