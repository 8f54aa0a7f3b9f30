"""The Flask todo application in which every write runs in a Restate service."""
