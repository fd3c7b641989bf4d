"""Sources of labelled files: folders, archives, lists and tables that the user names."""
