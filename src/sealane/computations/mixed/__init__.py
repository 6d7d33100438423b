"""Mixed models: a random intercept for each institution."""
