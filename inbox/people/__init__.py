"""People: the users of this house, and the contacts and identities behind what is heard."""
