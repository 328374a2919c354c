"""What all tests share: the report on the evidence behind the pages."""

pytest_plugins = ["tests.evidence_plugin"]
