"""Features (outputs of the frozen layers) of pictures, stored on disk, and batches of them."""
