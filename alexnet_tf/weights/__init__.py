"""Pretrained weights: found, read safely, checked."""
