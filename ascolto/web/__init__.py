"""What people see: pages, live updates, sign-in. Screens live in `screens/`, their words in `locale/`."""
