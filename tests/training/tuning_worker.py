"""One of several processes on one study: `python tuning_worker.py URL TRIALS FOLDER`.

Trains nothing. Holds its first trial open until another process is in one too, so that both really work at once.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from lora_demo.training.evaluation import Evaluation
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.searching import search_files
from lora_demo.training.searching.search import base_recipe
from lora_demo.training.searching.tuning import Objective, Trained, Watch, open_study, optimise

SEARCH = search_files.load("nano-lora")
RECIPE = base_recipe(SEARCH)


def main(url: str, trials: int, folder: Path) -> None:
    def train(recipe: Recipe, watch: Watch) -> Trained:
        (folder / str(os.getpid())).touch()
        deadline = time.monotonic() + 120
        while len(list(folder.iterdir())) < 2:
            if time.monotonic() > deadline:
                raise SystemExit("the other process never came")
            time.sleep(0.05)
        for step in range(SEARCH.every, RECIPE.steps + 1, SEARCH.every):
            watch(step, Evaluation(loss=1.0, accuracy=recipe.method.settings["r"] / 100, by_group={}, rows=10))
        return Trained(trainable=1, seconds=0.1)

    objective = Objective(SEARCH, RECIPE, train, lambda recipe: 1000 * recipe.method.settings["r"])
    optimise(open_study(url, "s", SEARCH, RECIPE), objective, trials=trials)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
