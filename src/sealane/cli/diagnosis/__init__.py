"""What ``sealane doctor`` looks at, one file a subject."""
