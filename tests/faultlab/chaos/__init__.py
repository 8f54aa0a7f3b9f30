"""Chaos: clients at work while things break at random, then quiet, then the count in the database."""
