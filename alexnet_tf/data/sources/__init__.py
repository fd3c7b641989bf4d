"""From what the user names to labelled files."""
