"""Exports of a finished network for other programs."""
