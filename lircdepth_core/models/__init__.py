"""Networks: the LiRCDepth student."""
