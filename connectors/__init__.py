"""Networks: fetch what is said in public and reply to it. Knows no store, web or schedule."""
