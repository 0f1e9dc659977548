"""Text-aware recommender: interests from the texts of what people did, ranked together with behaviour."""
