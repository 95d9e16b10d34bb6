"""The audit page: verdict, witnesses, figures."""
