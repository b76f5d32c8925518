"""A Discord on this machine: REST, gateway, CDN and a browser page."""
