"""Speed measurements that are kept: ``make bench``."""
