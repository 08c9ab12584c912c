"""What is decided about a conversation: priority, who takes it, by when, and its states."""
