"""Networks, normalizers and the engine that trains them: torch in, torch out."""
