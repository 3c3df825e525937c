"""One file per step, oldest first. A step that has been released is never edited: write the next one."""
