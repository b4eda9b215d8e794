"""What setup.cfg cannot say: the migrations travel inside the package, as ``hub.migrations``."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["hub", "hub.*"]),
        "hub.migrations",
        "hub.migrations.versions",
    ],
    package_dir={"hub.migrations": "migrations"},
)
