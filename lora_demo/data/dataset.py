"""A LLaVA-style file as a map-style data set: nothing is read before it is asked for, nothing is ever substituted."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from torch.utils.data import Dataset

from lora_demo.data import images
from lora_demo.data.collate import Sample
from lora_demo.data.folder import ImageFolder, OutsideFolder
from lora_demo.data.items import DataError, findings, id_of, image_of, turns
from lora_demo.data.json_index import ItemIndex, index_items
from lora_demo.data.labels import encode
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.results.printing import one_line


class ConversationData(Dataset[Sample]):
    """`data[i]` is item i, tokenised, with its picture's two views; the same every time and in every worker.

    file        JSON list of items (see lora_demo.data.items)
    folder      where image paths start
    max_length  ids are cut to this length; the model cuts once more after the image has been expanded

    Raises DataError with item id, index, field and path if the item cannot be used: no other item takes its place.
    """

    def __init__(
        self, file: Path, folder: Path, tokenizer: TextTokenizer, views: ViewMaker, max_length: int | None = None
    ) -> None:
        self.index: ItemIndex = index_items(file)
        self.folder = ImageFolder(folder)
        self.tokenizer, self.views, self.max_length = tokenizer, views, max_length

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> Sample:
        index = index + len(self) if index < 0 else index
        item = self.index.item(index)
        for finding in findings(item):
            if finding.severity == "error":
                self._refuse(index, item, finding.field, finding.message)
        encoded = encode(turns(item), self.tokenizer, max_length=self.max_length)
        return Sample(encoded, self._views(index, item))

    def _views(self, index: int, item: object):
        name = image_of(item)
        if name is None:
            return None
        try:
            return self.views(images.read(self.folder.path(name)))
        except (images.ImageError, OutsideFolder) as error:
            self._refuse(index, item, "image", str(error), error)

    def _refuse(self, index: int, item: object, field: str, message: str, cause: Exception | None = None) -> NoReturn:
        place = f"{self.index.path}: item {index} (id {one_line(id_of(item))}), field {field}"
        raise DataError(f"{place}: {message}. `lora-demo data check` lists every problem of the file.") from cause
