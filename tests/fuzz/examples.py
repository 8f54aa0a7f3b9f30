"""How Hypothesis makes its examples here: by the seed alone, with nothing kept and no time limit of its own."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings


def examples(number: int, **more: Any) -> settings:  # noqa: ANN401 - whatever Hypothesis takes
    """Return the settings for this many examples."""
    return settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        **more,
    )
