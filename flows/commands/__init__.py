"""What the commands run that is not a flow: servers, deployments, listings, cleaning."""
