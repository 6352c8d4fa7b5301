"""The checker must be able to fail: two writers that are there are found, a clean switch is none."""

from __future__ import annotations

from deploy.lab.checker import two_writers
from deploy.lab.load_data import longest_gaps


def test_a_clean_switch_has_one_writer_at_a_time() -> None:
    before = [(at, at + 0.004, "a") for at in (1.00, 1.01, 1.02)]
    after = [(at, at + 0.004, "b") for at in (1.20, 1.21, 1.22)]
    assert two_writers([*before, *after]) == []


def test_there_and_back_is_no_pair_of_writers() -> None:
    commits = [(1.0, 1.004, "a"), (2.0, 2.004, "b"), (3.0, 3.004, "a")]
    assert two_writers(commits) == []


def test_a_commit_between_two_of_another_server_is_found() -> None:
    commits = [(1.0, 1.004, "a"), (1.01, 1.014, "b"), (1.02, 1.024, "a")]
    assert two_writers(commits)


def test_commits_that_overlap_are_found() -> None:
    assert two_writers([(1.0, 1.05, "a"), (1.01, 1.02, "b")])


def test_the_longest_gap_is_between_acknowledgements() -> None:
    assert longest_gaps([(0, 1.0), (1, 1.5), (7, 1.75)], 1.75) == [(0.5, 1.0, 1.5), (0.25, 1.5, 1.75)]
    assert longest_gaps([], 9.0) == []


def test_a_gap_that_never_ended_is_one() -> None:
    assert longest_gaps([(0, 1.0), (1, 1.5)], 9.0)[0] == (7.5, 1.5, 9.0)
