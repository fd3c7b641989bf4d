"""A finished network for other programs."""
