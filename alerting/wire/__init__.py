"""HTTP as the settings describe it: requests from templates, signed, under one time limit."""
