"""The figures of `make bench-detection`, one part a module.

A part has `jobs(quick)`, what to compute, each a call that may run in a process of its own; and
`figures(results)`, which puts their results together, in the order of the jobs.
"""
