"""The report to a supervisor: verified evidence, results that are held against it, and who vouches for what."""
