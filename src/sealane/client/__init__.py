"""What an analyst's Python and command line use: propose, run, watch, open results."""
