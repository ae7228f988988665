"""A local web page that fills holes: `python -m scan_jax demo --run=RUN`."""
