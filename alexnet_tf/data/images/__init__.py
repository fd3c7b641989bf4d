"""One picture: its bytes, its pixels, the network's input."""
