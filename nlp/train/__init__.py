"""Training of the shipped models, by command; not in the wheel."""
