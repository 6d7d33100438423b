"""Watching for harm of medicines and for outbreaks, on counts that only the cohort's sum opens."""
