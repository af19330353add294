"""`doctor` reports what is there; each finding is compared with what this test sees itself."""

import os
import platform
import sys
from importlib import metadata

import pytest

from llmlab.cli import doctor, probes


def said(findings):
    return {one.about: one for one in findings}


def test_versions_are_compared_with_the_pins(monkeypatch):
    there = metadata.version("torch").partition("+")[0]
    pins = {"torch": (there, True), "rich": ("0.0.1", True), "no-such-package": ("1", True), "no-such-extra": ("1", False)}
    monkeypatch.setattr(doctor, "pins", lambda: pins)
    found = said(doctor.versions())
    assert (found["torch"].mark, found["rich"].mark) == (doctor.FINE, doctor.NOTE)
    assert f"{metadata.version('rich')} is installed, 0.0.1" in found["rich"].said
    assert found["no-such-package"].mark == doctor.WRONG and "pip install no-such-package==1" in found["no-such-package"].said
    assert "no-such-extra" in found["not installed"].said


def test_pins_come_from_the_metadata(monkeypatch):
    lines = ["torch==2.1", "rich==1; extra == 'all'", 'nbgrader==0.9; extra == "grading"', "llmlab[lab]; extra == 'all'", "odd>=1"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert doctor.pins() == {"torch": ("2.1", True), "rich": ("1", False), "nbgrader": ("0.9", False)}


def test_the_machine_is_this_one():
    found = said(doctor.machine())
    assert platform.python_version() in found["python"].said and sys.executable in found["python"].said
    assert platform.machine() in found["system"].said


def test_files_and_models_are_looked_at(workspace, monkeypatch, tmp_path):
    found = said(doctor.files())
    assert found["workspace"].said == str(workspace) and str(workspace / "decoding.py") in found["decoding"].said
    (workspace / "decoding.py").unlink()
    monkeypatch.setattr(doctor, "PACKAGE", tmp_path)
    found = said(doctor.files())
    assert found["decoding"].mark == found["model target"].mark == doctor.WRONG


def test_the_helper_is_started_and_timed():
    (found,) = doctor.helper()
    assert found.mark == doctor.FINE and "warm" in found.said


def test_a_helper_that_does_not_start_is_wrong(monkeypatch):
    from llmlab.harness.spawn import Closed

    class Dead:
        def start(self): raise Closed("the warm process is gone")

        def close(self): return

    monkeypatch.setattr("llmlab.harness.spawn.starter", Dead)
    (found,) = doctor.helper()
    assert found.mark == doctor.WRONG and "does not start" in found.said


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux")
def test_every_protection_is_told_and_one_that_does_not_hold_is_said(monkeypatch):
    from llmlab.harness import sandbox, spawn

    found = said(doctor.protections())
    assert set(found) == set(doctor.PROTECTIONS) and {one.mark for one in found.values()} == {doctor.FINE}
    assert set(sandbox.ESSENTIAL) <= set(found)
    monkeypatch.setattr(spawn, "starter", spawn.ColdStarter)
    found = said(doctor.protections())
    assert {one.mark for one in found.values()} == {doctor.NOTE} and "NOT held" in found["network"].said


@pytest.mark.skipif(sys.platform != "linux", reason="the mechanisms are Linux's")
@pytest.mark.parametrize("name", probes.PROBES)
def test_a_probe_answers_and_leaves_this_process_as_it_was(name):
    ok, words = probes.probe(name)
    assert isinstance(ok, bool) and words and "did not finish" not in words
    assert os.access("/proc/self/status", os.R_OK)
    open("/proc/self/status").close()


@pytest.mark.skipif(sys.platform != "linux", reason="the mechanisms are Linux's")
def test_a_mechanism_that_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(probes.shutil, "which", lambda name: None)
    assert probes.bubblewrap() == (False, "bwrap is not installed (Debian: apt install bubblewrap)")
    monkeypatch.setattr(probes.platform, "machine", lambda: "riscv64")
    assert probes.seccomp() == (False, "not tried on riscv64")
    assert probes.probe("no such probe")[0] is False


def test_the_whole_report_ends_with_a_word(llmlab, workspace, monkeypatch):
    monkeypatch.setattr(doctor, "helper", lambda: iter([doctor.Finding(doctor.FINE, "helper process", "ok")]))
    monkeypatch.setattr(doctor, "sandbox", lambda: iter([doctor.Finding(doctor.NOTE, "Landlock", "no")]))
    monkeypatch.setattr(doctor, "versions", lambda: iter([doctor.Finding(doctor.WRONG, "torch", "is not installed")]))
    told = llmlab("doctor")
    assert told.code == 1 and "Something is wrong" in told.out and "Landlock" in told.out
