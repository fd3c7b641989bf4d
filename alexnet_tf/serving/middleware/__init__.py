"""Which requests are answered, and what browsers are told: one check a module."""
