"""The running service: sources, store, worker, dispatcher, command line. All I/O lives here."""
