"""What is wrong: findings with evidence, from an event beside its agent's past. Pure."""
