"""Finished networks over HTTP: a page for people, and an interface for programs."""
