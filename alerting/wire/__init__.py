"""How to reach servers and topics as the settings describe them, each time under one time limit."""
