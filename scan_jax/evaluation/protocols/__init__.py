"""One module for each test of a paper. The module path is the registry; `api` finds them."""
