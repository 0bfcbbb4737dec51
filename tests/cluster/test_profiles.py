"""Cluster profiles, checked and planned without a cluster."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT, write_beir
from tests.dag import ENVIRONMENT, copy_project, snakemake

SUITE = {
    "name": "small",
    "collections": ["mine"],
    "systems": ["bm25", "bi"],
    "shards": 2,
    "define": {
        "collections": {"mine": {"kind": "beir", "path": "data"}},
        "systems": {"bi": {"kind": "bi_encoder", "options": {"dtype": "float32"}}},
    },
}
PROFILES = [p for p in sorted(ROOT.glob("profiles/*/profile.yaml")) if p.parent.name != "default"]


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.parent.name)
def test_a_profile_names_only_existing_rules(path):
    rules = {
        name
        for source in ROOT.glob("workflow/rules/*.smk")
        for name in re.findall(r"^ *(?:rule|use rule \w+ as) (\w+)", source.read_text(), re.M)
    }
    profile = yaml.safe_load(path.read_text())
    named = {*profile["set-resources"], *profile.get("groups", {})}
    assert named
    assert not named - rules


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.parent.name)
def test_a_profile_plans(path, tmp_path):
    plugin = "snakemake_executor_plugin_" + yaml.safe_load(path.read_text())["executor"]
    if find_spec(plugin) is None:
        pytest.skip(f"no {plugin}: pip install -e '.[{path.parent.name}]'")
    folder = copy_project(tmp_path, SUITE)
    write_beir(folder / "data")
    done = snakemake(folder, "-n", "all", "--workflow-profile", f"profiles/{path.parent.name}")
    assert done.returncode == 0, done.stdout + done.stderr
    planned = re.findall(
        r"^(?:local)?rule (\w+):.*?^    resources: (.*?)$", done.stdout, re.M | re.S
    )
    on_gpu = {rule: resources for rule, resources in planned if "gpu=1" in resources}
    assert on_gpu.keys() == {"encode", "encode_shard", "rerank_shard", "measure"}
    assert "mem_mb=32000" in on_gpu["measure"]


def kubernetes_job() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "profiles/kubernetes/job.yaml").read_text())


@pytest.mark.parametrize("version", ["1.27", "1.37"])
def test_the_kubernetes_job_keeps_kubernetes_schema(version):
    kubernetes_validate.validate(kubernetes_job(), version, strict=True)


def test_a_misspelt_kubernetes_job_is_rejected():
    job = kubernetes_job()
    job["spec"]["backofflimit"] = job["spec"].pop("backoffLimit")
    with pytest.raises(kubernetes_validate.ValidationError, match="backofflimit"):
        kubernetes_validate.validate(job, "1.37", strict=True)


def test_the_commands_of_the_kubernetes_job_plan(tmp_path):
    job = kubernetes_job()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    folder = copy_project(tmp_path, SUITE)
    write_beir(folder / "data")
    for line in container["args"][0].splitlines()[1:]:
        words = line.replace("config/paper.yaml", "suite.yaml").split()
        done = subprocess.run(
            [sys.executable, "-m", *words, *([] if "--unlock" in words else ["-n"])],
            cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert "rule rerank_shard:" in done.stdout
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert f"gpu={gpus}" in container["args"][0]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    volume = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "project")
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables.keys() == {"RESRANK_DATA", "HF_HOME"}
    assert all(value.startswith(f"{volume}/") for value in variables.values())
    assert mounted == {volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]}
