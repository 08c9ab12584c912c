"""Every SELECT of the product, one noun a file."""
