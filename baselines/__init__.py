"""One file per comparator; the file name is its registry entry."""
