from pathlib import Path

import pytest

from lora_demo.data.folder import ImageFolder, OutsideFolder


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    (tmp_path / "pics" / "sub").mkdir(parents=True)
    (tmp_path / "pics" / "a.png").write_bytes(b"a")
    (tmp_path / "secret.png").write_bytes(b"s")
    return ImageFolder(tmp_path / "pics")


@pytest.mark.parametrize("name", ["a.png", "sub/../a.png", "./a.png", "sub//../a.png"])
def test_paths_inside_are_followed(folder: ImageFolder, name: str):
    assert folder.path(name).read_bytes() == b"a"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "sub/../../secret.png",
        "/etc/passwd",
        "C:\\secret.png",
        "\\\\host\\x.png",
        "a\0.png",
        "..",
        "\ud800.png",
    ],
)
def test_paths_that_leave_are_refused(folder: ImageFolder, name: str):
    with pytest.raises(OutsideFolder):
        folder.path(name)


def test_links_may_point_inside_but_not_out(folder: ImageFolder, tmp_path: Path):
    (folder.root / "inside.png").symlink_to(folder.root / "a.png")
    (folder.root / "outside.png").symlink_to(tmp_path / "secret.png")
    (folder.root / "up").symlink_to(tmp_path)
    assert folder.path("inside.png").read_bytes() == b"a"
    for name in ("outside.png", "up/secret.png"):
        with pytest.raises(OutsideFolder, match="leads out of the image folder"):
            folder.path(name)


def test_links_in_a_circle_lead_nowhere(folder: ImageFolder):
    (folder.root / "x").symlink_to(folder.root / "y")
    (folder.root / "y").symlink_to(folder.root / "x")
    with pytest.raises(OutsideFolder, match="cannot be followed"):
        folder.path("x")


def test_a_name_that_only_begins_like_the_folder_is_outside(folder: ImageFolder, tmp_path: Path):
    (tmp_path / "pics2").mkdir()
    with pytest.raises(OutsideFolder):
        folder.path("../pics2/x.png")


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(NotADirectoryError, match="no such image folder"):
        ImageFolder(tmp_path / "nowhere")
