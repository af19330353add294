"""The link from a check to its section: the named book, the one beside the workspace, or none."""

import pytest

from llmlab.harness import reading

READ = "part1/truncation.html#sec-top-p"


def book(folder):
    page = folder / "book" / "part1" / "truncation.html"
    page.parent.mkdir(parents=True)
    page.write_text("<html></html>")
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A workspace, far from any repository."""
    monkeypatch.setattr(reading, "PACKAGE", tmp_path / "nowhere" / "llmlab")
    root = tmp_path / "zip" / "my-lab"
    root.mkdir(parents=True)
    (root / "llmlab.toml").write_text('[workspace]\ncode = "."\n')
    return root


def test_without_a_book_there_is_no_link(work):
    assert reading.link(READ, work) == ""


def test_the_book_of_the_students_zip_lies_beside_the_workspace(work):
    found = book(work.parent / "book")
    assert reading.link(READ, work) == f"{found.as_uri()}/book/{READ}"


def test_a_named_book_comes_first(work):
    book(work.parent / "book")
    other = book(work.parent / "elsewhere")
    (work / "llmlab.toml").write_text('[workspace]\nbook = "../elsewhere"\n')
    assert reading.link(READ, work) == f"{other.as_uri()}/book/{READ}"


def test_an_address_is_used_as_it_is(work):
    (work / "llmlab.toml").write_text('[workspace]\nbook = "https://example.org/llmlab/"\n')
    assert reading.link(READ, work) == f"https://example.org/llmlab/book/{READ}"


@pytest.mark.parametrize("text", ["[workspace\n", "workspace = 3\n", "[workspace]\nbook = 3\n"])
def test_odd_settings_give_no_link_and_no_error(work, text):
    (work / "llmlab.toml").write_text(text)
    assert reading.link(READ, work) == ""
