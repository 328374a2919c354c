"""The practice app meets MkDocs: its modules and questions, every page's content policy, and the service worker."""

import json
import logging
import types
from pathlib import Path

from mkdocs.structure.files import File

from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.browser import content_policy, modules, service_worker, vendored
from lora_demo.pages.study import practice

ROOT, LOG = Path(__file__).resolve().parents[2], logging.getLogger("mkdocs.hooks.practice")
APP = ROOT / "docs" / "practice"
STATE = {"serving": False}


def on_startup(command, dirty):
    STATE["serving"] = command == "serve"


def on_files(files, config):
    """Both languages share one copy of the app, in the Chinese site."""
    lang, content = config.theme["language"], config.extra["content"]
    files.append(File.generated(config, "manifest.webmanifest", content=json.dumps(manifest(config, lang))))
    if lang != LANGUAGES[0]:
        return
    for file in sorted(app_files()):
        files.append(File.generated(config, f"app/{file.relative_to(APP).as_posix()}", abs_src_path=str(file)))
    for each in LANGUAGES:
        data = practice.practice_data(content, each)
        files.append(File.generated(config, f"app/questions.{each}.json", content=data))


def app_files():
    """The app's own files and what it takes from packages; without those the build says so."""
    try:
        vendor = vendored.ensure(ROOT)
    except vendored.NotInstalled as missing:
        LOG.warning(missing)  # strict: a warning fails the build
        vendor = None
    own = [file for kind in ("*.js", "*.css") for file in APP.glob(kind) if file.name != "sw.js"]
    return own + (list(vendor.glob("*.js")) if vendor else [])


def manifest(config, lang):
    root = "./" if lang == LANGUAGES[0] else "../"
    return {
        "name": config.site_name,
        "short_name": "LoRA",
        "lang": lang,
        "id": root,
        "scope": root,
        "start_url": "practice/cards/",
        "display": "standalone",
        "background_color": "#fbf9f4",
        "theme_color": "#15514d",
        "icons": [{"src": "assets/favicon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }


def on_env(env, config, files):
    env.globals["app_modules"] = lambda entry: modules.loaded(APP, f"{entry}.js")
    return env


def on_post_page(output, page, config):
    return content_policy.with_policy(output)


def on_post_template(output_content, template_name, config):
    return content_policy.with_policy(output_content) if template_name.endswith(".html") else output_content


def on_post_build(config):
    """After both languages are there: the hook that builds English stands before this one."""
    if config.theme["language"] == LANGUAGES[0]:
        site = Path(config.site_dir)
        source = (APP / "sw.js").read_text(encoding="utf-8")
        (site / "sw.js").write_text(service_worker.service_worker(site, source, STATE["serving"]), encoding="utf-8")


def on_serve(server, config, builder):
    """MkDocs adds an inline script to each page that it serves: the page's policy gets that script's digest too."""
    inject = server._inject_js_into_html

    def inject_and_admit(self, content, epoch):
        injected = inject(content, epoch)
        added = injected.rpartition(b"<script>")[2].partition(b"</script>")[0]
        return content_policy.admit(injected, added)

    server._inject_js_into_html = types.MethodType(inject_and_admit, server)
