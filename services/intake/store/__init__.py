"""Intake's SQL: what arrived, accounts and brands, deliveries, chat. Rows in and out; no proto, no rules."""
