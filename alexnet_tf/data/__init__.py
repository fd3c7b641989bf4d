"""Pictures: from what the user names to batches."""
