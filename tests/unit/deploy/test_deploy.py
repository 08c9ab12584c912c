"""The container recipe: what can be checked where no engine runs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("prepare", "web", "worker", "schedule")


def stages() -> list[str]:
    return re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)


def test_images_are_pinned_to_a_version() -> None:
    images = [*stages(), *(service["image"] for service in SERVICES.values())]
    for image in images:
        _name, _, tag = image.partition(":")
        assert re.match(r"\d+\.\d+", tag), f"{image} is not pinned"
        assert "latest" not in image


def test_dockerfile_has_two_stages_and_an_unprivileged_user() -> None:
    assert len(stages()) == 2
    last = DOCKERFILE.rsplit("FROM ", 1)[1]
    assert re.search(r"^USER ascolto$", last, re.MULTILINE)
    assert last.index("USER ascolto") < last.index("ENTRYPOINT")
    assert "HEALTHCHECK" in last
    assert not re.search(r"^\s*ADD ", DOCKERFILE, re.MULTILINE)


def test_everything_installed_from_the_network_is_checked_by_hash() -> None:
    for line in re.findall(r"pip install[^\n\\&]*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-index" in line, line
    assert "--no-build-isolation" in DOCKERFILE


def test_files_copied_exist_and_are_let_through() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists(), name
            assert name in allowed, name


def test_wheel_packages_are_all_copied() -> None:
    for room in ("ascolto", "config", "connectors", "inbox", "nlp", "playbooks"):
        assert f"COPY {room} {room}" in DOCKERFILE


def test_build_requirements_agree_with_the_lock() -> None:
    lock = (ROOT / "requirements-dev.txt").read_text("utf-8")
    build = (DEPLOY / "requirements-build.txt").read_text("utf-8")
    pinned = re.findall(r"^([a-z-]+==\S+)", build, re.MULTILINE)
    assert any(pin.startswith("hatchling==") for pin in pinned)
    for wanted in [*pinned, *re.findall(r"sha256:\w+", build)]:
        assert wanted in lock, f"{wanted} is not in requirements-dev.txt: lock deploy/requirements-build.txt anew"


def test_no_secret_stands_in_any_file() -> None:
    for path in DEPLOY.iterdir():
        text = path.read_text("utf-8")
        for name, value in re.findall(r"(?im)^\s*(\S*(?:password|secret|token)\S*)[:=][ ]*(\S*)", text):
            assert value == "" or "${" in value, f"{path.name}: {name}"
    assert "${ASCOLTO_DATABASE_PASSWORD:?" in SERVICES["web"]["environment"]["ASCOLTO_DATABASE_URL"]


def test_env_file_names_every_variable_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    given = set(re.findall(r"(?m)^([A-Z_]+)=", (DEPLOY / "example.env").read_text("utf-8")))
    assert asked == given


def test_settings_in_compose_and_image_exist() -> None:
    known = {f"ASCOLTO_{name.upper()}" for name in Settings.model_fields}
    used = {name for service in OURS for name in SERVICES[service]["environment"] if name.startswith("ASCOLTO_")}
    used |= set(re.findall(r"\b(ASCOLTO_[A-Z_]+)=", DOCKERFILE))
    assert used <= known


@pytest.mark.parametrize("name", OURS)
def test_our_services_can_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "ports" not in service


def test_only_caddy_is_reachable_and_the_database_has_no_way_out() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert "healthcheck" in SERVICES["postgres"]


def test_everything_waits_for_the_schema() -> None:
    for name in ("web", "worker", "schedule"):
        assert SERVICES[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"


def test_volumes_named_are_declared() -> None:
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if not volume.startswith((".", "/"))
    }
    assert named == set(COMPOSE["volumes"])


def test_commands_of_the_services_exist() -> None:
    import typer

    from ascolto.cli.app import create_app

    known = set(typer.main.get_command(create_app()).commands)  # type: ignore[attr-defined]  # a group
    assert {SERVICES[name]["command"][0] for name in OURS} <= known


def test_caddyfile_is_balanced_and_streams() -> None:
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    bare = re.sub(r"\{\$\w+\}", "", re.sub(r"#.*", "", text))
    assert bare.count("{") == bare.count("}") > 0
    assert "flush_interval -1" in text
    assert "reverse_proxy web:8000" in text
