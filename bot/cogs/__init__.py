"""One slash-command family a file; the client loads every module found here."""
