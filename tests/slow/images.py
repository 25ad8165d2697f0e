"""Images, built and run without a registry and a daemon, by buildah and debootstrap of Debian."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import OWN_ENVIRONMENT

PACKAGES = "ca-certificates,python3,python3-venv"
SUITE = "bookworm"
"""The Debian release with Python 3.11, the oldest one that a service supports."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BASE = "localhost/python"

ENTER = """
    set -e
    mount --bind "$ROOT" "$ROOT"
    for folder in dev proc; do mount --bind /$folder "$ROOT/$folder"; done
    for volume in $VOLUMES; do mount --bind "$DATA" "$ROOT$volume"; done
    mount -o remount,bind,ro "$ROOT"
    exec chroot --userspec="$OWNER" --groups= "$ROOT" "$@"
"""
"""Mounts a root file system read-only, in a mount namespace of its own, and runs a command."""


def missing() -> str | None:
    """Return what images cannot be built without here, if so."""
    lacking = [tool for tool in ("buildah", "debootstrap", "unshare") if shutil.which(tool) is None]
    if lacking:
        return f"it needs Debian's {' and '.join(lacking)}"
    return None if os.geteuid() == 0 else "debootstrap and mount need root"


def make_base(shared: Path) -> Path:
    """Return a folder with Debian and its Python, made once for all workers of a test run."""
    folder = shared / "debian"
    with (shared / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "usr/bin/python3").exists():
            options = ["--variant=minbase", f"--include={PACKAGES}"]
            subprocess.run(
                ["debootstrap", *options, SUITE, str(folder)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            for unused in ("usr/share/doc", "usr/share/locale", "var/cache/apt", "var/lib/apt"):
                shutil.rmtree(folder / unused)
            # A machine behind a proxy trusts more than Debian does.
            if Path(CERTIFICATES).exists():
                shutil.copy(CERTIFICATES, folder / CERTIFICATES.lstrip("/"))
    return folder


@dataclass(frozen=True, slots=True)
class Storage:
    """A store of images in a folder."""

    folder: Path

    def buildah(self, *arguments: str) -> str:
        """Run buildah and return what it prints. Fails with all of it."""
        places = [f"--root={self.folder}/root", f"--runroot={self.folder}/run"]
        result = subprocess.run(
            ["buildah", *places, *arguments],
            env={**OWN_ENVIRONMENT, "BUILDAH_ISOLATION": "chroot"},
            capture_output=True,
            encoding="utf-8",
        )
        assert result.returncode == 0, f"{arguments}\n{result.stdout}{result.stderr}"
        return result.stdout.strip()

    def add_base(self, debian: Path) -> None:
        """Store a base image, from a folder that holds Debian."""
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(debian), "/")
        trust = [f"--env={name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
        self.buildah("config", *trust, container)
        self.buildah("commit", "--rm", container, BASE)

    def build(self, project: Path) -> "Image":
        """Build the image of a project on the base, and lay its files out."""
        arguments = ["--pull-never", "--format", "docker", "--build-arg", f"PYTHON_IMAGE={BASE}"]
        self.buildah("build", *arguments, "--tag", "service", str(project))
        config = json.loads(self.buildah("inspect", "--type", "image", "service"))["Docker"]
        root = self.buildah("mount", self.buildah("from", "service"))
        return Image(Path(root), config["config"])

    def remove(self) -> None:
        """Remove all images and containers."""
        self.buildah("umount", "--all")
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Image:
    """The files of an image, and how it wants to be run."""

    root: Path
    config: Mapping[str, list[str]]

    @property
    def volumes(self) -> list[str]:
        """The paths that are mounted from elsewhere."""
        return sorted(self.config.get("Volumes") or {})

    def command(self, port: int) -> list[str]:
        """Return the command of the image, on a port that is free here."""
        return [part.replace("8000", str(port)) for part in self.config["Cmd"]]

    def health_check(self, port: int) -> list[str]:
        """Return the command that tells whether the service is healthy."""
        test = self.config["Healthcheck"]["Test"]  # type: ignore[call-overload]
        assert test[0] == "CMD"
        return [part.replace("8000", str(port)) for part in test[1:]]

    @contextmanager
    def run(
        self, command: list[str], data: Path, log: Path, variables: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command as a container would: as its user, with a root that is read-only.

        Its volumes are the folder `data`. It shares the network of this machine.
        """
        environment = [*self.config["Env"], *(f"{key}={value}" for key, value in variables.items())]
        folder = f"--chdir={self.config['WorkingDir']}"
        inside = ["/usr/bin/env", "--ignore-environment", folder, *environment, *command]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", ENTER, "sh", *inside],
                env={
                    "PATH": os.environ["PATH"],
                    "ROOT": str(self.root),
                    "OWNER": str(self.config["User"]),
                    "DATA": str(data),
                    "VOLUMES": " ".join(self.volumes),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()
