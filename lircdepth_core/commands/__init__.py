"""Commands of `lircdepth` that need no ROS type."""
