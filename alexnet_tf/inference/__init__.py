"""Inference with finished networks."""
