"""``python -m alexnet_tf VERB``: a module for each verb, with HELP, add_arguments and run."""

# Each is a module of this package.
VERBS = (
    "train", "tune", "predict", "data", "weights", "summary", "use", "evaluate", "report",
    "compare", "explain", "features", "similar", "export", "tensorboard", "serve", "doctor", "demo",
    "completion",
)  # fmt: skip
