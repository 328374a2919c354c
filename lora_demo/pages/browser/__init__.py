"""What built pages need in a browser: modules, content policy, service worker, offline copy, slim notebooks."""
