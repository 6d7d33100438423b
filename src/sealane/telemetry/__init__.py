"""What an operator sees of a running process: logs that carry events, never data."""
