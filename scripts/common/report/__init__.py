"""What the report of a dataset shows."""
