"""Tests of identity by content."""

import hashlib
from pathlib import Path

import pytest

from rungwise.data.content import blob_hash, explaining_reads, require_identity
from rungwise.errors import DataError


def test_the_hash_is_that_of_git() -> None:
    # printf hello | git hash-object --stdin
    assert blob_hash(b"hello") == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    assert blob_hash(b"hello") == hashlib.sha1(b"blob 5\0hello").hexdigest()


def test_only_the_right_content_passes() -> None:
    require_identity(b"hello", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", "x")
    require_identity(b"anything", None, "x")
    with pytest.raises(DataError, match="x holds other content"):
        require_identity(b"hullo", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", "x")


def test_errors_of_the_system_become_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Is a directory"), explaining_reads(tmp_path):
        tmp_path.read_bytes()
