"""Measures running applications; what was found is in the records."""
