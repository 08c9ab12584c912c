"""The screens: one module each, with a `router`. A module dropped in here is served without another edit."""
