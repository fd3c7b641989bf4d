"""A run directory: what it was told, what it holds."""
