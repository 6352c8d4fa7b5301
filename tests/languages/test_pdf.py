"""A report as PDF: every character has a font, and where there is none the command says which package has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from starters.main import app
from starters.render import pdf

pytest.importorskip("fpdf", reason="fpdf2 is an extra")
_SWITCHED = Path(__file__).parents[1] / "starters" / "data" / "switched.json"


def _write(to: Path, language: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["report", "--file", str(_SWITCHED), "--write", str(to), "--lang", language])
    return ran.exit_code, ran.stderr


def test_english_needs_no_font_but_for_an_arrow(tmp_path: Path) -> None:
    assert _write(tmp_path / "report.pdf", "en") == (0, "")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_chinese_is_written_with_a_font_that_has_it(tmp_path: Path) -> None:
    path, number = pdf._FONTS[0]
    if not path.exists():
        pytest.fail(f"{path} is missing: apt-get install fonts-noto-cjk")

    assert _write(tmp_path / "report.pdf", "zh-TW") == (0, "")
    assert b"NotoSansCJK" in (tmp_path / "report.pdf").read_bytes()
    assert number == 3


def test_without_such_a_font_one_sentence_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_FONTS", ((tmp_path / "none.ttf", 0),))

    code, said = _write(tmp_path / "report.pdf", "zh-TW")

    assert code == 2
    assert "fonts-noto-cjk" in said
    assert not (tmp_path / "report.pdf").exists()
