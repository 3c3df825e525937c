"""The porch: the command line by topic; each file is one `kentongan TOPIC …`, registered in kentongan/cli.py."""
