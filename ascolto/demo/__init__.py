"""A brand that does not exist, with eight weeks of people talking about it: Ascolto without any account."""
