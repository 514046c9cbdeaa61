"""What comes from outside, made up and damaged; it may raise only what is meant for it."""
