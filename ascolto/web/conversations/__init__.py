"""How conversations are put on the screen: filters of the address, cards, threads, composer."""
