"""What is heard: sources, ingest, threads, coverage, archives."""
