"""What all tests share: the report on the evidence behind the pages, and the built site in a browser."""

pytest_plugins = ["tests.evidence_plugin", "tests.site_plugin"]
