"""The Helm chart, rendered by Helm and held against the schemas of Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.local import downloads
from deploy.local.process import Missing
from services.kit.backends import SERVICES
from services.kit.config import Settings
from tests.deploy.files import DEPLOY, SETTINGS
from tests.real import servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # the first time Helm is built

CHART = DEPLOY / "helm" / "ascolto"
KUBERNETES = ("1.29", "1.31", "1.37")
VARIANTS = {
    "plain": {},
    "everything": {
        "rpc": {"tlsSecret": "rpc-tls"},
        "ingress": {"className": "nginx", "tlsSecret": "web-tls", "annotations": {"a": "b"}},
        "smtp": {"annotations": {"a": "b"}},
        "serviceAccount": {"annotations": {"role": "bucket"}},
        "image": {"pullSecrets": [{"name": "registry"}], "tag": "1.2.3"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "care", "operator": "Exists"}],
    },
    "bare": {
        "secret": {"existing": "own"},
        "autoscaling": {"enabled": False},
        "ingress": {"enabled": False},
        "smtp": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}


@cache
def _helm() -> str:
    try:
        return shutil.which("helm") or str(downloads.go_install("helm.sh/helm/v3/cmd/helm", "v3.22.0", "helm"))
    except Missing as error:
        servers.lacking("helm", str(error))


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_helm(), *map(str, words)], check=False, capture_output=True, text=True)


def render(folder: Path, variant: str) -> list[dict[str, Any]]:
    """The objects of a release named ascolto."""
    (folder / "more.yaml").write_text(yaml.safe_dump(VARIANTS[variant]))
    values = ["-f", CHART / "ci" / "values.yaml", "-f", folder / "more.yaml"]
    done = _run("template", "ascolto", CHART, *values, "--kube-version", "1.31.0")
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods that deployments and jobs make, by name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] in {"Deployment", "Job"}
    }


def test_helm_finds_nothing_to_say_against_the_chart() -> None:
    done = _run("lint", "--strict", CHART, "-f", CHART / "ci" / "values.yaml", "--kube-version", "1.31.0")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_one_that_kubernetes_knows(tmp_path: Path, variant: str, version: str) -> None:
    objects = render(tmp_path, variant)

    assert len(objects) > 15
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_schemas_would_see_a_wrong_word(tmp_path: Path) -> None:
    (wrong,) = [one for one in render(tmp_path, "plain") if one["kind"] == "Job"]
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


def test_every_service_is_deployed_with_probes_a_budget_and_a_scale(tmp_path: Path) -> None:
    objects = render(tmp_path, "plain")
    found = pods(objects)

    for name in SERVICES:
        (container,) = found[f"ascolto-{name}"]["containers"]
        assert container["args"] == ["run", name]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler"):
        named = {one["metadata"]["name"] for one in objects if one["kind"] == kind}
        assert named == {f"ascolto-{name}" for name in SERVICES}


def test_the_scale_follows_figures_and_groups_that_there_are(tmp_path: Path) -> None:
    sources = "\n".join(path.read_text() for path in (DEPLOY.parent / "services").rglob("*.py"))
    scales = [one["spec"] for one in render(tmp_path, "plain") if one["kind"] == "HorizontalPodAutoscaler"]
    metrics = [one["external"]["metric"] for scale in scales for one in scale["metrics"] if one["type"] == "External"]

    assert len(metrics) == 4  # the desk consumes nothing
    for metric in metrics:
        assert f'"{metric["name"]}"' in sources
        for expression in metric.get("selector", {}).get("matchExpressions", ()):
            assert all(f'group="{group}"' in sources for group in expression["values"])


def test_the_migration_runs_before_and_needs_nothing_of_the_release(tmp_path: Path) -> None:
    objects = render(tmp_path, "plain")
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    (job,) = [one for one in hooks if one["kind"] == "Job"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert container["args"] == ["migrate"]
    assert all(one["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade" for one in hooks)
    named = {(one["kind"], one["metadata"]["name"]) for one in hooks}
    assert ("ServiceAccount", pod["serviceAccountName"]) in named
    assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in named
    assert {("Secret", one["valueFrom"]["secretKeyRef"]["name"]) for one in container["env"]} <= named


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_pod_may_more_than_it_needs(tmp_path: Path, variant: str) -> None:
    for pod in pods(render(tmp_path, variant)).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # else Kubernetes adds ASCOLTO_DESK_HTTP_PORT, which is no setting
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_pod_is_told_are_settings_that_can_be_used(tmp_path: Path, variant: str) -> None:
    objects = render(tmp_path, variant)
    (told, *_) = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    secret = {one["name"] for pod in pods(objects).values() for one in pod["containers"][0]["env"]}

    assert told.keys() | secret <= SETTINGS
    settings = Settings.from_env(told)
    assert settings.rpc == f"{'grpcs' if variant == 'everything' else 'grpc'}://ascolto-{{service}}:8710"


def test_calls_find_every_instance_by_name(tmp_path: Path) -> None:
    objects = render(tmp_path, "plain")
    services = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Service"}

    for name in SERVICES:
        assert services[f"ascolto-{name}"]["clusterIP"] == "None"
        assert services[f"ascolto-{name}"]["ports"][0]["port"] == 8710


def test_the_way_in_leads_customers_to_intake_and_nobody_to_the_figures(tmp_path: Path) -> None:
    objects = render(tmp_path, "plain")
    (ingress,) = [one["spec"] for one in objects if one["kind"] == "Ingress"]
    services = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Service"}
    leads = {
        path["path"]: services[path["backend"]["service"]["name"]]
        .get("selector", {})
        .get("app.kubernetes.io/component")
        for path in ingress["rules"][0]["http"]["paths"]
    }

    assert leads == {"/metrics": None, "/hooks": "intake", "/c": "intake", "/": "desk"}


def test_a_secret_that_was_not_given_is_asked_for_by_name(tmp_path: Path) -> None:
    done = _run("template", "ascolto", CHART, "--kube-version", "1.31.0")

    assert done.returncode != 0
    assert "secret.settings.ASCOLTO_BLOBS is empty" in done.stderr
