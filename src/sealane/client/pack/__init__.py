"""Evidence packs: files from which an auditor verifies, offline, what was agreed, what ran and what was released."""
