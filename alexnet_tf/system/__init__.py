"""The operating system, files and the network; knows nothing of neural networks."""
