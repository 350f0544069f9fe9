"""The command line: thin, and light to import; what is heavy is imported inside the commands."""
