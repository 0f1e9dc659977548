"""Finance opinion monitor: topic and tone of every story, the trend per topic, and an alert when bad news surges."""
