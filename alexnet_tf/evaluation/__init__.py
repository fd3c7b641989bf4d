"""Evaluation of runs and of pretrained weights."""
