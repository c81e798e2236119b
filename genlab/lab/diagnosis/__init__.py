"""What may be wrong with a run: each finding a pure function of what it needs."""
