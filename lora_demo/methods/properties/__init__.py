"""The claims about low-rank updates and merging as properties: each judges an implementation on drawn inputs."""
