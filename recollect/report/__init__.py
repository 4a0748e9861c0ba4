"""What a reviewer opens: verdicts, claims, statistics, quality of the results, and the page that shows them.

Pure functions on frames and records; `recollect.steps.report` reads and writes the files.
"""
