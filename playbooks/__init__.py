"""What we may say in public, and when. Knows no store, web or network."""
