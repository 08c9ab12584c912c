"""Our own labelled posts; not in the wheel."""
