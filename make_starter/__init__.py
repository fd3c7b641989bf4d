"""Make the files in alexnet_tf/starter/ anew: `python -m make_starter DIR FILE`."""
