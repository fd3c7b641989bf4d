"""How good runs and pretrained weights are."""
