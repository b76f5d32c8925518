"""What is remembered; knows neither Discord nor torch."""
