"""The running flow in Prefect: name, progress, heartbeat, what it left out."""
