"""The fault lab: breaks running twins from outside and counts what has become of their operations."""
