"""Question files to pages. Never imports torch or MkDocs."""
