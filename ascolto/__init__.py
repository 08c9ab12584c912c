"""The shell: web, API, command line, jobs and schedule, wired together."""
