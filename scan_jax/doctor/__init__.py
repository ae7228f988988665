"""The command that looks at a machine. It imports nothing but the standard library: what it looks for may be broken."""
