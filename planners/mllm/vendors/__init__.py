"""Those who can be asked: one file per SDK, all of them in `table.VENDORS`."""
