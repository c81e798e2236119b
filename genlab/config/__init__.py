"""The configuration of a run, from every section's fields to JSON and back."""
