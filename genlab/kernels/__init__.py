"""The numerical core: pure functions of arrays and of scalar functions."""
