"""Reputation: what is said about the brand, counted in cells, and the figures drawn from them."""
