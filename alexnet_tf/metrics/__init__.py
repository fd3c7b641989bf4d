"""How good predictions are: numbers alone, below runs."""
