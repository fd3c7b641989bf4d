"""Pictures made of pictures and numbers."""
