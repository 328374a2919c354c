"""The registry of named figures and the functions that compute them."""
