"""The run's own LiteRT file, which predicts without TensorFlow."""
