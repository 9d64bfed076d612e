"""LiRCDepth: depth from one camera and radar. No ROS in this package (see lircdepth_ros for the nodes)."""
