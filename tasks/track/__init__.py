"""Log a comparison to MLflow. The only room that imports it, in its modules and not here.

Configuration reads ``tasks.track.spec``; MLflow takes seconds to import and is not needed for that.
"""
