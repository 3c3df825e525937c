"""The room of reports: what was reported, whether it is true, who must act, and whether they know."""
