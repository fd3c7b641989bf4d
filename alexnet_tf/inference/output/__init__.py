"""Outputs of prediction: files, sorted folders, tables."""
