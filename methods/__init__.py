"""One file per paper method; the file name is its registry entry."""
