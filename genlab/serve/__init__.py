"""A trained model for others to use: as programs that need no genlab, and as a page in a browser."""
