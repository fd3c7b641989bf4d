"""A run directory: its settings, its files."""
