"""Which packages a wheel holds: all of scan_jax, and configs/ as scan_jax.configs. All else is in pyproject.toml."""

from setuptools import find_namespace_packages, find_packages, setup

configs = find_namespace_packages(include=["configs", "configs.*"])
setup(
    packages=[*find_packages(include=["scan_jax", "scan_jax.*"]), *(f"scan_jax.{name}" for name in configs)],
    package_dir={"scan_jax.configs": "configs"},
)
