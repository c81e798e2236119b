"""What a run is told, from every section's fields to JSON and back."""
