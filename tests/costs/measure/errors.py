"""What ends a measurement, beside a server that does not start (StackError)."""


class MeasurementError(RuntimeError):
    """What was measured is not what it should be: an answer is wrong, something is lost, or not in time."""


class LoadError(MeasurementError):
    """The load could not be put on, or some of it was not answered as expected."""
