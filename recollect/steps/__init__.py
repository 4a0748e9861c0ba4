"""The steps of the workflow, one module each: fetch, split, train, evaluate, collect, tables, figures, track."""
