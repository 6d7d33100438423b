"""Meta-analysis: each institution fits its own model, and only sums over the institutions' estimates are opened."""
