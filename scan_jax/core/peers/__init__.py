"""The processes of a run know of each other: who takes part, what they agree on, and who died.

A hub beside process 0, a process of its own, holds one TCP connection to each of them. The kernel closes that of a
process that ends, however it ends, so the others learn of it at once and by name, be they computing, compiling or
waiting for each other in a collective that never returns. JAX by itself would leave them there, or abort them.
"""
