"""Databases behind `kit.uow`: statements, migrations, SQLite."""
