"""Subcommands of the command line; every one imports what it needs when it runs."""
