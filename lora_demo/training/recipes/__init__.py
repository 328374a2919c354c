"""What a run is: typed recipes, and the ones that are shipped, as YAML."""
