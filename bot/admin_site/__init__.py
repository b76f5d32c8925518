"""The admin page: what ``/admin`` and ``/usage report`` do, in a browser."""
