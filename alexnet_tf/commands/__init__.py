"""``python -m alexnet_tf VERB``: a module for each verb, with HELP, add_arguments and run."""
