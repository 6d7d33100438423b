"""The audit log's rules: entries, Merkle tree, checkpoints, cosignatures, witnesses and proofs. Pure functions."""
