"""The product with intake alone: what it takes in waits for the other services. Only for measuring a backlog (P11)."""

from __future__ import annotations

import os

from services.intake import app as intake
from services.kit import log, runner
from services.kit.application import Application
from services.kit.config import Settings

if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    log.set_up(form=settings.log, level=settings.log_level)
    with Application(settings) as app:
        app.migrate()
        app.add(intake.build(app.parts("intake")))
        app.start()
        runner.heed_signals().wait()
