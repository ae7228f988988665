"""What the processes of a run share: who takes part, what they agree on, and who died.

A coordinator beside process 0, in a process of its own, holds one TCP connection to each of them. The kernel closes the
connection of a process that ends, however it ends, so the others learn of it at once and by name, be they computing,
compiling or waiting for each other in a collective that never returns. JAX by itself would leave or abort them.
"""
