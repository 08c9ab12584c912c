"""Settings, the brand file and logs. Imports no room."""
