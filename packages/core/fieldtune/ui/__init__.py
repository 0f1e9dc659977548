"""What the three Streamlit pages share; imports streamlit only inside functions."""
