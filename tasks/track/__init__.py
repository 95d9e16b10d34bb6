"""Log a comparison to MLflow. The only room that imports it, in its modules and not here.

Configuration reads ``foldproof.tasks.track.spec``, which does not need MLflow: importing that takes
seconds.
"""
