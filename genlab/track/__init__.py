"""The run folder, what is written to it, and what is shown while training."""
