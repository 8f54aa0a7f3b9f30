"""Turns the results of the matrix into a page, a table in the terminal and a table in the README."""
