"""A run's own data: which rows are looked at closely before the run, and what is said if one spoils during it."""

from __future__ import annotations

import pytest

from lora_demo.data.items import DataError
from lora_demo.models.presets import MGM_NANO
from lora_demo.training.engine.accelerated import open_accelerator
from lora_demo.training.engine.order import Order
from lora_demo.training.loop import Loop
from lora_demo.training.preparation.folder_data import Share, check_folder
from lora_demo.training.preparation.prepare import apply_method, model_of, nano_set, sources_of
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_data import FolderData


def test_only_the_rows_of_a_process_are_looked_at_closely():
    shares = [set(Share(batch=4, steps=3, seed=0, rank=rank, processes=2)(100)) for rank in (0, 1)]
    order = Order(100, 4, 0)
    assert shares[0] | shares[1] == {row for step in range(3) for row in order.indices(step)}
    assert not shares[0] & shares[1]
    assert Share(batch=4, steps=2**30, seed=0, rank=0, processes=1)(6) == set(range(6))


def test_a_file_for_both_has_its_evaluation_rows_looked_at_too(tmp_path):
    file = nano_set("train", "a", images=6, questions=1).export(tmp_path / "data")
    images = file.parent / "images"
    data = f"data={{kind: folder, file: '{file}', evaluation_file: '{file}', images: '{images}'}}"
    recipe = recipe_files.load("nano-lora", ["cache_features=false", data, "steps=1", "batch=1"])
    (trained,) = Order(6, 1, recipe.seed).indices(0)
    other = sorted(images.iterdir())[trained - 1]
    other.write_bytes(other.read_bytes()[:-200])
    assert isinstance(recipe.data, FolderData)
    with pytest.raises(DataError, match=f"{other.name}: the picture is damaged or cut off"):
        check_folder(recipe, recipe.data, MGM_NANO)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_spoils_during_the_run_is_named_without_the_loading_process(tmp_path, workers):
    file = nano_set("train", "a", images=4, questions=1).export(tmp_path / "data")
    data = f"data={{kind: folder, file: '{file}', images: '{file.parent / 'images'}'}}"
    recipe = recipe_files.load("nano-lora", ["cache_features=false", data, "steps=2", "batch=4", f"workers={workers}"])
    model = model_of(recipe.model, recipe.seed)
    rows = sources_of(recipe, model)[0]
    for picture in (file.parent / "images").iterdir():
        picture.write_bytes(b"")
    loop = Loop(recipe, apply_method(model, recipe), rows, None, tmp_path / "run", open_accelerator())
    with pytest.raises(DataError, match=rf"^{file}: item \d \(id .*\), field image: .*the file is empty"):
        loop.run()
