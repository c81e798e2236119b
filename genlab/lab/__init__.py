"""Many runs: populations, search, comparison, diagnosis."""
