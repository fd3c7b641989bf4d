"""Where predictions go: files, sorted folders, tables."""
