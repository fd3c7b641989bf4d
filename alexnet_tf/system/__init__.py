"""The machine and the world outside; knows nothing of networks."""
