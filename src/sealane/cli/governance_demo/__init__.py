"""``sealane demo governance``: from datasets to evidence, with a counter-offer and a revocation on the way."""
