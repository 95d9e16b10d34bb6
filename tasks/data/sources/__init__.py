"""The sources of rows, and how rows are parsed and checked."""
