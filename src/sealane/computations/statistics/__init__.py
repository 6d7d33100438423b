"""Descriptions, tables, quantiles, correlations and tests over the cohort, small cells hidden or counts noised."""
