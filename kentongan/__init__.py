"""The porch: command line, settings, wiring, guard, self-check, demo."""
