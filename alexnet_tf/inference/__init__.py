"""Asks finished networks."""
