"""Losses: pure functions, unreduced over the batch."""
