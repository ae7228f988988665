"""Which packages the doctor finds out of bounds, missing or beside each other where they do not fit."""

import importlib.metadata
import types

from scan_jax.doctor import advice, hardware, packages

NONE = hardware.Hardware((), "", "", (), (), "")


def make_distribution(folder, name, version, *lines):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"{line}\n" for line in lines)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")


def test_versions_out_of_bounds_and_missing_ones(monkeypatch, tmp_path):
    make_distribution(tmp_path, "fake_base", "1.4")
    make_distribution(tmp_path, "fake_tool", "2.0", "Requires-Dist: Fake.Base<1.2", 'Requires-Dist: x; extra == "y"')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages, "requirements", lambda: (">=3.99", ("fake-tool>=1.0,<3", "fake-absent>=2", "jax<1")))
    found = {package.name: package for package in packages.look()}
    assert not found["python"].fits and found["fake-tool"].fits and "x" not in found
    assert found["jaxlib"].fits and found["jaxlib"].required_by == "jax"
    problems = list(advice.of_packages(tuple(found.values()), NONE))
    assert problems == [
        f"Python {found['python'].version} is not >=3.99: make the environment with another",
        'fake-absent is not installed: pip install -U "fake-absent>=2"',
        'Fake.Base 1.4 is not <1.2, which fake-tool needs: pip install -U "Fake.Base<1.2"',
    ]


def test_plugins_must_fit_jax(monkeypatch):
    versions = {"jax": "0.10.2", "jaxlib": "0.10.2", "jax-cuda12-plugin": "0.9.0"}
    needs = ["jaxlib<=0.10.2", 'jaxlib<=0.10.2; extra == "cuda12"', 'jax-cuda12-plugin==0.10.2; extra == "cuda12"']
    monkeypatch.setattr(packages, "version_of", lambda name: versions.get(name, ""))
    monkeypatch.setattr(packages, "_requires", lambda name: needs if name == "jax" else [])
    monkeypatch.setattr(packages, "requirements", lambda: (">=3.11", ("jax>=0.10.2",)))
    rows = packages.look(("cuda12", "cuda13"))
    assert [row.name for row in rows] == ["python", "jax", "jaxlib", "jax-cuda12-plugin"]
    assert [row.fits for row in rows] == [True, True, True, False]


def test_another_opencv_will_do(monkeypatch, tmp_path):
    make_distribution(tmp_path, "opencv_contrib_python", "4.99")
    monkeypatch.setattr(importlib.metadata.MetadataPathFinder, "find_distributions", only_in(tmp_path))
    assert packages.version_of("opencv-python-headless") == "4.99"
    assert packages.version_of("jax") == ""


def only_in(folder):
    plain = importlib.metadata.MetadataPathFinder.find_distributions
    return lambda context: plain(importlib.metadata.DistributionFinder.Context(name=context.name, path=[str(folder)]))


def test_bounds_come_from_the_installed_package_where_there_are_no_sources(monkeypatch, tmp_path):
    lines = ("Requires-Python: >=3.11", "Requires-Dist: jax<0.12,>=0.10.2", 'Requires-Dist: torch>=2; extra == "torch"')
    make_distribution(tmp_path, "scan_jax", "0.1.0", *lines)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        packages, "scan_jax", types.SimpleNamespace(__file__=str(tmp_path / "scan_jax" / "__init__.py"))
    )
    python, needs = packages.requirements()
    assert python == ">=3.11" and needs[0] == "jax<0.12,>=0.10.2" and len(needs) == 2
    assert packages.wanted_of("jax") == "<0.12,>=0.10.2"
    assert packages.wanted_of("jaxlib") == ""
