"""English under en/: a build makes it beside the Chinese one, in a process of its own; serving makes it after, in the
same process, where everything that did not change is still at hand (see live.py)."""

import os
import subprocess
import sys

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

STATE = {"serving": False, "beside": None}


def on_startup(command, dirty):
    STATE["serving"] = command == "serve"


def settings(config):
    """What differs from the Chinese build, by the name of its setting and of its environment variable."""
    url = f"{config.site_url.rstrip('/')}/en/"
    return {"docs_dir": "docs/en", "site_url": url, **config.extra["english"]}


def environment(config):
    return {"DOCS_LANG": "en"} | {name.upper(): value for name, value in settings(config).items()}


def on_files(files, config):
    # Not before: until here MkDocs may still empty the folder that both write to.
    if config.theme["language"] == "zh" and not STATE["serving"]:
        command = [sys.executable, "-m", "mkdocs", "build", "--config-file", config.config_file_path]
        command += ["--strict" if config.strict else "--no-strict", "--site-dir", f"{config.site_dir}/en"]
        STATE["beside"] = subprocess.Popen(command, env=os.environ | environment(config))


def on_build_error(error):
    if STATE["beside"]:
        STATE["beside"].kill()


def on_post_build(config):
    if config.theme["language"] != "zh":
        return
    if not STATE["serving"]:
        if STATE["beside"].wait():
            raise Abort("the English site was not built; its messages stand above")
        return
    before = dict(os.environ)
    os.environ |= environment(config)
    try:
        build(load_config(config.config_file_path, strict=config.strict, site_dir=f"{config.site_dir}/en"))
    finally:
        os.environ.clear()
        os.environ |= before
