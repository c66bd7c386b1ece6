"""People of the desk and what they may do: values and rules, no clock, no database."""
