"""What is wrong: findings with evidence, raised by comparing an event with its agent's past. Pure."""
