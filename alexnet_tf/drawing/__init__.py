"""Images made of pictures and of numbers."""
