"""All that is stored and decided: listening, triage, replies, people, reputation."""
