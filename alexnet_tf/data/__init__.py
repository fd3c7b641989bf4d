"""Data sets of pictures: from what the user names to batches."""
