"""What methods are made of: each part a frozen dataclass with its own checks, understood alone."""
