"""The coordinator: it admits parties, schedules runs, relays and adds what it cannot open."""
