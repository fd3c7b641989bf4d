"""How fast this program is beside the usual recipes: `python -m benchmarks`, or `make bench`."""
