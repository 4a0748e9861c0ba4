"""The engine: training loop, ready batches, checkpoints, predictions. Knows Avalanche; knows no method."""
