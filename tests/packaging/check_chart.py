"""Renders the Helm chart with Helm's own code and checks what comes out.

Every resource of Kubernetes is compared with the strict schemas of the oldest and the newest supported version, in which an
unknown field is a mistake.
"""

import re
import sys
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "packaging/helm/doorward"
VALUES = ROOT / "tests/packaging/values"
# The oldest that kubeVersion in Chart.yaml allows, and the newest whose schemas are at hand.
VERSIONS = ("1.27.0", "1.37.0")
# The oldest with every field that some value sets.
VERSIONS_FOR_ALL = ("1.31.0", "1.37.0")
IDENTITY = ("user", "actor", "token-id", "slug", "backend", "device", "expires-in", "scopes", "via")
SETTINGS = set(re.findall(r"^#([a-z-]+) = ", (ROOT / "config/doorward.toml").read_text(), re.MULTILINE))
# Not part of Kubernetes itself.
CUSTOM = {"ServiceMonitor"}


def rendered(values, release="one"):
    """The resources of a release, by kind and name."""
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name=release, namespace="sessions")
    documents = [
        document
        for name, text in texts.items()
        if not name.endswith("NOTES.txt")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def load(name):
    return yaml.safe_load((VALUES / name).read_text())


def check_schemas(resources, versions):
    for (kind, _), resource in resources.items():
        if kind in CUSTOM:
            continue
        for version in versions:
            kubernetes_validate.validate(resource, version, strict=True)


def check_pod(resources, name):
    """The rules of the restricted Pod Security Standard, and those of a stop in order."""
    pod = resources["Deployment", name]["spec"]["template"]
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    security, own = spec["securityContext"], container["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] == 65532
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}
    assert own["allowPrivilegeEscalation"] is False
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert len(env) == len(container["env"]), "a variable is set twice"
    for name in env:
        setting = name.removeprefix("DOORWARD_").lower().replace("_", "-")
        is_known = setting in SETTINGS or setting.removesuffix("-file") in SETTINGS
        assert is_known or not name.startswith("DOORWARD_"), name
    seconds = [int(env[name].removesuffix("s")) for name in ("DOORWARD_SHUTDOWN_DELAY", "DOORWARD_DRAIN_TIMEOUT")]
    # At least 1 s for the last accesses.
    assert spec["terminationGracePeriodSeconds"] > sum(seconds) + 1
    # Every mount has its volume, and every probe and service a port of the container.
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    # The plane of the readiness speaks TLS if its certificate is set, the other probes' never does.
    scheme = "HTTPS" if "DOORWARD_TLS_CERT" in env else "HTTP"
    assert container["readinessProbe"]["httpGet"]["scheme"] == scheme
    # Each port is the one that the node listens on.
    listeners = {"validation": "LISTEN", "admin": "ADMIN_LISTEN", "metrics": "METRICS_LISTEN", "grpc": "GRPC_LISTEN"}
    for port, variable in listeners.items():
        address = env.get(f"DOORWARD_{variable}")
        assert (port in ports) == (address is not None) and (not address or address.endswith(f":{ports[port]}")), port
    for (kind, _), resource in resources.items():
        if kind == "Service":
            assert {port["targetPort"] for port in resource["spec"]["ports"]} <= ports.keys()
            assert resource["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        elif kind == "NetworkPolicy":
            named = {port["port"] for rule in resource["spec"].get("ingress", []) for port in rule["ports"]}
            assert named <= ports.keys(), named
        if kind in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = resource["spec"].get("podSelector") or resource["spec"]["selector"]
            assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
    return env


def check_least():
    resources = rendered(load("least.yaml"))
    check_schemas(resources, VERSIONS)
    env = check_pod(resources, "one-doorward")
    assert env["DOORWARD_REDIS_URL_FILE"] == "/etc/doorward/secrets/redis-url", env
    kinds = sorted(kind for kind, _ in resources)
    expected = ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "Service", "ServiceAccount"]
    assert kinds == expected, kinds


def check_all():
    resources = rendered(load("all.yaml"))
    check_schemas(resources, VERSIONS_FOR_ALL)
    env = check_pod(resources, "sessions")
    assert env["DOORWARD_TLS_CERT"] == "/etc/doorward/tls/tls.crt", env
    kinds = {kind for kind, _ in resources}
    assert {"HorizontalPodAutoscaler", "NetworkPolicy", "ServiceMonitor"} <= kinds, kinds
    policy = resources["NetworkPolicy", "sessions"]["spec"]
    egress = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    # Names, Redis, Sentinels, and the collector of traces.
    assert egress == {53, 6379, 26379, 4318}, egress
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {"validation", "grpc", "admin", "metrics"}
    deployment = resources["Deployment", "sessions"]["spec"]
    assert "replicas" not in deployment, "the autoscaler's number would be overwritten"
    settings = resources["ConfigMap", "sessions"]["data"]["doorward.toml"]
    assert settings.rstrip() == load("all.yaml")["config"].rstrip(), settings
    (endpoint,) = resources["ServiceMonitor", "sessions"]["spec"]["endpoints"]
    admin = resources["Service", "sessions-admin"]
    assert endpoint["port"] in {port["name"] for port in admin["spec"]["ports"]}
    selector = resources["ServiceMonitor", "sessions"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= admin["metadata"]["labels"].items()
    return settings


def check_ipv6():
    resources = rendered(load("ipv6.yaml"))
    check_schemas(resources, VERSIONS)
    env = check_pod(resources, "one-doorward")
    assert env["DOORWARD_ADMIN_LISTEN"] == "[::]:8081" and env["DOORWARD_LOG_FORMAT"] == "text", env
    assert "DOORWARD_TLS_CERT" not in env and env["DOORWARD_ADMIN_TLS_CERT"] == "/etc/doorward/admin-tls/tls.crt"
    for name in ("one-doorward", "one-doorward-admin"):
        assert resources["Service", name]["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
    deployment = resources["Deployment", "one-doorward"]
    assert deployment["metadata"]["annotations"] == {"example.com/restart-with": "doorward"}
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    # Without any peer, nothing but the probes gets in.
    assert "ingress" not in resources["NetworkPolicy", "one-doorward"]["spec"]
    with helm.Chart.load(str(CHART)) as chart:
        (notes,) = (text for name, text in chart.render(load("ipv6.yaml")).items() if name.endswith("NOTES.txt"))
    assert "https://127.0.0.1:8081/console/" in notes and "keeps Prometheus out" in notes, notes


def check_restart_by_config():
    def checksum(config):
        resources = rendered({"existingSecret": "s", "config": config})
        deployment = resources["Deployment", "one-doorward"]
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum("lease = '1s'") != checksum("lease = '2s'")
    existing = rendered({"existingSecret": "s", "existingConfigMap": "mine"})
    assert ("ConfigMap", "one-doorward") not in existing


def check_refusals():
    """Bad values are refused, with the name of the value."""
    for values, word in [
        ({}, "existingSecret"),
        ({"existingSecret": "s", "replicas": 2}, "replicas"),
        ({"existingSecret": "s", "drainTimeoutSeconds": "8s"}, "drainTimeoutSeconds"),
        ({"existingSecret": "s", "listenAddress": "::"}, "listenAddress"),
        ({"existingSecret": "s", "secretFiles": {"ADMIN_KEY": "k"}}, "ADMIN_KEY"),
        ({"existingSecret": "s", "image": {"digest": "latest"}}, "digest"),
    ]:
        with helm.Chart.load(str(CHART)) as chart:
            try:
                chart.validate_schema(values)
                chart.render(values, name="one")
            except helm.HelmError as error:
                assert word in str(error), f"{word} is not in: {error}"
            else:
                raise AssertionError(f"accepted: {values}")


def check_lint():
    for name in sorted(path.name for path in VALUES.glob("*.yaml")):
        result = helm.lint(str(CHART), load(name), strict=True)
        assert not result.get("errors") and result.get("passed", True), result
        print(f"lint {name}: {result}")


def leaves(values, prefix=""):
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in ("secretFiles", "resources") and "Context" not in name:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def check_table():
    """README.md has a row for each value, and no other."""
    rows = re.findall(r"^\| `([^`]+)` \|", (CHART / "README.md").read_text(), re.MULTILINE)
    names = list(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    assert rows == names, sorted(set(rows) ^ set(names))


def backends(value):
    """Each reference to the service `doorward` below a value, with its port."""
    if isinstance(value, dict):
        if value.get("name") == "doorward" and "port" in value:
            yield value
        for part in value.values():
            yield from backends(part)
    elif isinstance(value, list):
        for part in value:
            yield from backends(part)


def check_examples():
    """The examples name the services that the chart makes, every identity header, and what a ReferenceGrant allows."""
    resources = rendered(load("least.yaml"), "doorward")
    ports = {port["port"] for port in resources["Service", "doorward"]["spec"]["ports"]}
    headers = {f"x-auth-{name}" for name in IDENTITY}
    for path in sorted((ROOT / "packaging/kubernetes").glob("*.yaml")):
        text = path.read_text().lower()
        assert not (missing := {header for header in headers if header not in text}), f"{path.name}: {missing}"
        documents = list(yaml.safe_load_all(path.read_text()))
        grants = [document["spec"] for document in documents if document["kind"] == "ReferenceGrant"]
        granted = {source["kind"] for grant in grants for source in grant["from"]}
        for document in documents:
            for backend in backends(document):
                assert backend["port"] in ports and backend["namespace"] == "sessions", (path.name, backend)
                is_gateway_api = document["kind"] in ("HTTPRoute", "SecurityPolicy")
                assert not is_gateway_api or document["kind"] in granted, (path.name, document["kind"])
        assert "doorward.sessions" in text or "namespace: sessions" in text, path.name


def check_traefik():
    """The headers that the example of Traefik removes are those of the tested file."""
    documents = yaml.safe_load_all((ROOT / "packaging/kubernetes/traefik.yaml").read_text())
    (example,) = (document["spec"] for document in documents if document["metadata"]["name"] == "untold")
    tested = yaml.safe_load((ROOT / "config/proxies/traefik-site.yml").read_text())
    assert example == tested["http"]["middlewares"]["untold"]


def main():
    check_lint()
    check_least()
    settings = check_all()
    check_ipv6()
    check_restart_by_config()
    check_refusals()
    check_table()
    check_examples()
    check_traefik()
    # For `doorward check-config`, which the caller runs.
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(settings)
    print(f"rendered by Helm {helm.helm_sdk_version()}, valid for Kubernetes {' and '.join(VERSIONS)}")


main()
