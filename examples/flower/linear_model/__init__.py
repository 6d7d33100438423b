"""A linear model by federated gradient descent."""
