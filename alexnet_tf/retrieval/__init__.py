"""Image retrieval: visually similar pictures."""
