"""Fine-tuning of an installed transformer as a classifier of texts: adapters and head travel, the rest stays frozen."""
