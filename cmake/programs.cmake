# The two programs: zenithd, the node, and zenith, the command line. Each main is its folder's only
# file outside the libraries' globs.
