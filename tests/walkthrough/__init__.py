"""Runs the README files: each command block, in the order of the page, compared with the output below it."""
