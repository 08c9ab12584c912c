"""Our answers: drafts and leases, the outbox that sends each exactly once, and its reconciliation."""
