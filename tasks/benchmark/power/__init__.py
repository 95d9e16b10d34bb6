"""How small a leak each test still detects."""
