"""How does a car navigation know where it is congested? From positions to link speeds, forecasts and routes."""
