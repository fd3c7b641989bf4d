"""What programs in Python use: train, open and ask runs."""
