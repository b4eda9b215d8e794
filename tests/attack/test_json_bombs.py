"""JSON that attacks the reader: refused quickly, with a reason, without repeating it (T-20)."""

import time

import pytest

from hub import codec
from tests.helpers.hostile import REFUSED


@pytest.mark.parametrize("name", REFUSED)
def test_the_reader_refuses(name):
    with pytest.raises(codec.BadJSON) as caught:
        codec.read(REFUSED[name])

    assert 0 < len(str(caught.value)) < 120


@pytest.mark.parametrize("name", REFUSED)
def test_refusing_is_quick(name):
    """A few milliseconds each on an idle machine: a stream of them is no way to stop the hub."""
    started = time.process_time()
    with pytest.raises(codec.BadJSON):
        codec.read(REFUSED[name])

    assert time.process_time() - started < 0.25


def test_the_largest_body_with_the_worst_content_is_refused_quickly():
    """2 MiB are the largest body; its worst content is what is counted only after parsing."""
    for unit in (b"[],", b'{"":0},', b"0,", b'"",', b'{"a":{}},'):
        text = b"[" + unit * (2 * 1024 * 1024 // len(unit)) + b"0]"
        started = time.process_time()
        with pytest.raises(codec.BadJSON):
            codec.read(text)

        assert time.process_time() - started < 0.5
