"""The layers that keep their weights, computed by the engine that is fastest here. A precision
names an engine: TensorFlow's "float32" and "bfloat16", OpenVINO's "int8"."""
