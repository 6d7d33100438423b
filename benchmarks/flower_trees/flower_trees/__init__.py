"""XGBoost bagging by Flower's own strategy: one tree a node and round, trained on that node's rows alone."""
