"""How fast genlab is, beside PyTorch: the same networks, batches and types, measured in turn in one run."""
