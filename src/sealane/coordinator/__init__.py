"""The coordinator: it admits parties, schedules runs, and relays what it cannot open."""
