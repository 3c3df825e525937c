"""The doors: what browsers, agencies and programs may see and do; a thin skin over the rooms."""
