"""What frozen layers make of pictures, kept on disk, and batches of it."""
