"""MkDocs meets `lora_demo.pages`: adds the generated pages and expands the written ones."""

import logging
from pathlib import Path

from mkdocs.structure.files import File

from lora_demo.pages import navigation, site
from lora_demo.pages.bank import content, handwritten

ROOT, LOG = Path(__file__).resolve().parents[2], logging.getLogger("mkdocs.hooks.adapter")


def publish(built):
    for problem in built.problems:
        LOG.warning(problem)  # strict: a warning fails the build
    return built.pages


def on_files(files, config):
    known = config.extra["content"] = content.load(ROOT, config.repo_url)
    pages = publish(site.generated_pages(known, config.theme["language"]))
    config.nav = navigation.navigation(known, config.theme["language"], pages)
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown, page, config, files):
    if page.file.generated_by is None and page.file.src_uri.endswith(".md"):
        folder = Path(config.docs_dir)
        written = handwritten.read_page(ROOT, folder / page.file.src_uri, folder)
        built = site.expand_written(config.extra["content"], config.theme["language"], written)
        return publish(built)[written.page]
