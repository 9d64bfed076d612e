# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A bag to depth, from Python: python examples/bag_to_depth.py BAG OUTPUT [WEIGHTS].

`lircdepth infer-bag` does the same. The new bag has the old one's messages and, for each image, its depth.
"""

import sys
from contextlib import closing

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.bags.depth_job import DepthJob, DepthJobOptions
from lircdepth_ros.bags.reading import open_bag
from lircdepth_ros.bags.writing import new_bag

bag, output, weights = (*sys.argv[1:], "street")[:3]
pipeline = DepthPipeline.from_weights(weights, backend="plain")  # "auto" measures first which backend is the fastest
with closing(open_bag(bag)) as reader, new_bag(output) as writer:
    job = DepthJob(reader, bag, DepthJobOptions(with_inputs=True))  # topics other than nuScenes' are options
    job.process(pipeline, writer, add_video_frame=None)
done, received = (sum(getattr(camera.account, name) for camera in job.cameras) for name in ("done", "received"))
print(f"{done} of {received} images have depth, {job.counts['fused']} with radar")
