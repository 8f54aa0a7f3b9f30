"""The outside world on its own: what the tests of the features count with, and so must be able to trust."""
