"""How well a model ranks, predicts and treats groups alike, on secure sums."""
