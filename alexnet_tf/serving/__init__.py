"""Finished networks over HTTP: a web page and an API."""
