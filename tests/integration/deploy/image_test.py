#!/usr/bin/env python3
"""The images: what is in them, and (with VITRINE_TEST_ALL) a cell of containers from end to end."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from vitrine import ROOT, VITRINE, Folder, Skip, Suite, bin_dir, run  # noqa: E402

suite = Suite("deploy/image")
folder = Folder()
DEPLOY = ROOT / "deploy"
OUT = folder / "image"
ALL = "VITRINE_TEST_ALL" in os.environ
IMAGES = ("vitrine", "vitrine-gateway", "vitrine-prometheus")


def collected():
    """The root of an image, made of the programs under test."""
    if not OUT.exists():
        subprocess.run([DEPLOY / "image/collect.sh", OUT, "vitrine", VITRINE], check=True,
                       capture_output=True)
    return OUT


def engine():
    if not ALL:
        raise Skip("images are built with VITRINE_TEST_ALL only: it takes minutes")
    done = subprocess.run(["bash", "-c", f"set -eu; . {DEPLOY}/lib.sh; vt_container_engine"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"containers cannot run here: {done.stdout.strip()}")
    return done.stdout.strip()


def ask(*command, **more):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
    return done.stdout


@suite.test
def an_image_has_no_shell_and_nothing_that_is_not_needed():
    programs = [path.name for path in collected().rglob("*")
                if path.is_file() and ".so" not in path.name and os.access(path, os.X_OK)]
    assert programs == ["vitrine"], programs
    assert not (OUT / "etc/shadow").exists()
    assert "vitrine:x:65532" in (OUT / "etc/passwd").read_text()


@suite.test
def its_program_runs_in_that_root_alone():
    if os.geteuid() != 0:
        raise Skip("only root can change its root")
    place = VITRINE if VITRINE.startswith("/usr") else "/usr" + VITRINE
    said = ask("chroot", collected(), place, "version")
    assert said.startswith("vitrine "), said


@suite.test
def the_list_of_packages_names_every_library():
    sbom = json.loads((collected() / "usr/share/sbom/vitrine.spdx.json").read_text())
    assert sbom["spdxVersion"] == "SPDX-2.3"
    versions = {package["name"]: package["versionInfo"] for package in sbom["packages"]}
    for name in ("libc6", "libgrpc29", "librocksdb7.8", "libopenblas0-pthread", "libjemalloc2"):
        assert versions.get(name), (name, sorted(versions))
        assert (OUT / "usr/share/doc" / name / "copyright").exists(), name


@suite.test
def equal_programs_give_equal_roots():
    collected()
    again = folder / "again"
    ask(DEPLOY / "image/collect.sh", again, "vitrine", VITRINE)
    one, two = (ask("bash", "-c", f"tar --sort=name -C {root} -c . | sha256sum")
                for root in (OUT, again))
    assert one == two


@suite.test
def what_the_compose_file_passes_exists():
    text = (DEPLOY / "compose.yaml").read_text()
    known = (run("serve", "--help").stdout + run("train", "--help").stdout
             + ask(bin_dir() / "vitrine-gateway", "--help"))
    for option in set(re.findall(r"--[a-z-]+(?=,)", text)) - {"--log-level", "--disable-hot-restart"}:
        assert f"  {option} " in known, option
    for name in set(re.findall(r"VITRINE_([A-Z_]+): ", text)):
        assert f"--{name.lower().replace('_', '-')} " in known, name
    # podman-compose of Debian 12 leaves such a one as it stands.
    assert ":-}" not in text, "a variable with an empty default"
    for service in ("profile", "candidate", "ranking-1", "ranking-2", "training", "gateway"):
        assert f"\n  {service}:" in text, service
    for name, service in yaml.safe_load(text)["services"].items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name


@suite.test
def an_image_of_another_commit_is_made_again():
    """up.sh asks the engine for the image's revision; here an engine that says what it is told."""
    fake = folder / "engine"
    fake.write_text('#!/bin/sh\n[ -n "$LABEL" ] && echo "$LABEL"\n')
    fake.chmod(0o755)
    checkout = folder / "checkout"
    git = ("git", "-C", checkout, "-c", "user.name=t", "-c", "user.email=t@localhost")
    ask("git", "init", "-q", checkout)
    ask(*git, "commit", "-q", "--allow-empty", "-m", "one")
    head = ask(*git, "rev-parse", "HEAD").strip()
    has_image = re.search(r"^has_image\(\) \{.*?^\}", (DEPLOY / "up.sh").read_text(), re.M | re.S)

    def has(root, label):
        script = f"root={root} engine={fake}\n{has_image.group(0)}\nhas_image vitrine"
        return subprocess.run(["bash", "-uc", script], env={**os.environ, "LABEL": label},
                              check=False).returncode == 0
    assert has(checkout, head)
    assert not has(checkout, "0" * 40)
    assert not has(checkout, "")  # no such image
    assert has(pathlib.Path("/nowhere"), "unknown")  # sources without their history


@suite.test
def images_are_built_and_say_who_they_run_as():
    name = engine()
    ask(DEPLOY / "image.sh", timeout=1800)
    for image in IMAGES:
        about = json.loads(ask(name, "image", "inspect", f"localhost/{image}:latest"))[0]
        assert about["Config"]["User"] == "65532:65532", about["Config"]
        assert about["Config"]["StopSignal"] in ("SIGTERM", "15"), about["Config"]
        labels = {name.removeprefix("org.opencontainers.image."): value
                  for name, value in about["Config"]["Labels"].items()}
        assert labels["title"] == image and labels["description"], labels
        assert run("version").stdout.split()[1] == labels["version"], labels
        assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["revision"]), labels
        print(f"# {image}: {about['Size'] / 1e6:.0f} MB")
    help_text = ask(name, "run", "--rm", "--read-only", "--cap-drop", "all", "--network", "none",
                    "--ulimit", "nofile=16384:16384", "--ulimit", "nproc=4096:4096", "localhost/vitrine", "--help")
    assert "serve" in help_text


@suite.test
def a_cell_of_containers_comes_up_answers_and_goes_without_a_trace():
    name = engine()
    cell_folder = folder / "cell"
    started = time.monotonic()
    said = ask(DEPLOY / "up.sh", "--free-ports", "--folder", cell_folder, timeout=1800,
               env={**os.environ, "VITRINE_BIN": str(bin_dir())})
    print(f"# up in {time.monotonic() - started:.0f} s")
    cell = json.loads((cell_folder / "cell.json").read_text())
    assert '{"items":[' in said, said[-2000:]
    for part, container in cell["containers"].items():
        about = json.loads(ask(name, "inspect", container))[0]
        assert about["HostConfig"]["ReadonlyRootfs"], part
        assert not about.get("EffectiveCaps"), (part, about["EffectiveCaps"])
        assert about["Config"]["User"].split(":")[0] not in ("", "0", "root"), part
        assert not about["HostConfig"]["Privileged"], part
    for part in ("profile", "candidate", "ranking-1", "ranking-2"):
        assert ask(name, "exec", cell["containers"][part], "/usr/bin/vitrine", "health") == \
            "SERVING\n", part
    assert ask(name, "exec", cell["containers"]["gateway"], "/usr/bin/vitrine-gateway",
               "--health") == "SERVING\n"
    for part in ("profile", "candidate", "ranking-1", "ranking-2", "gateway"):
        if pathlib.Path(name).name != "podman":
            break  # docker runs it by itself, and has no such command
        ask(name, "healthcheck", "run", cell["containers"][part])
    ask(DEPLOY / "down.sh", "--folder", cell_folder)
    assert not cell_folder.exists()
    left = ask(name, "ps", "-a", "--format", "{{.Names}}")
    assert not any(container in left for container in cell["containers"].values()), left
    project = cell["containers"]["profile"][:len("vitrine-01234567")]
    assert project not in ask(name, "network", "ls", "--format", "{{.Name}}")


suite.run()
