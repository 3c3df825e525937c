"""The measurements: what the house costs and how quick it is, on a real Asterisk with real SIP calls."""
