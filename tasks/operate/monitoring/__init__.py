"""Monitoring of the champion: realised rank IC and importance."""
