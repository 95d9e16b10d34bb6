"""Where rows come from, how they are parsed and checked."""
