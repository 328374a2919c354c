"""The decks and tables of `lora_demo.pages.study.downloads` as files of the site."""

from mkdocs.structure.files import File

from lora_demo.pages.study import downloads


def on_files(files, config):
    known, lang = config.extra["content"], config.theme["language"]
    for path, content in downloads.download_files(known, lang, config.site_url or "").items():
        files.append(File.generated(config, path, content=content))
