"""The smallest Restate service, for the tests of the wire: one step, which writes down that it ran.

Run as `python -m tests.faultlab.wire.steps_service PORT FILE`.
"""

import asyncio
import sys
from pathlib import Path

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

steps = restate.Service("Steps")


@steps.handler()
async def take(context: restate.Context, name: str) -> str:
    """Take one step; each time it runs adds the first word of `name` to the file."""

    def step() -> str:
        with Path(sys.argv[2]).open("a") as runs:
            runs.write(f"{name.split()[0]}\n")
        return name

    return await context.run_typed("step", step)


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.h2_max_concurrent_streams = 2**31 - 1
    asyncio.run(serve(restate.app(services=[steps]), config))
