"""The article's idea of a service, which the scenarios hold against the one of this repository."""
