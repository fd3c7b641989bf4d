"""Similar pictures."""
