"""Configuration: what a suite runs, checked before any job starts. Imports nothing heavy."""
