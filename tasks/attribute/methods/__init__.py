"""Attribution methods, each a function of a network and its inputs."""
