"""Text to labels with honest probabilities. Knows no store, web or network."""
