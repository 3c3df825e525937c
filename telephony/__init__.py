"""The back wall towards Asterisk: the only room that speaks to it (ARI, AMI, FastAGI, its configuration)."""
