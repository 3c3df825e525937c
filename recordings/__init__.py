"""The room of the recordings: from a call's raw file to an archive that was read back, every gap named."""
