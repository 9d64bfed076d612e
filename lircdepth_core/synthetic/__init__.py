"""Synthetic scenes: a procedural street, ray-cast into camera, lidar and radar, in the nuScenes v1.0 schema."""

import os
import shutil
from pathlib import Path

from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.nuscenes_writer import SceneWriter
from lircdepth_core.synthetic.sensors import CameraModel, LidarModel, RadarModel
from lircdepth_core.synthetic.world import MAX_DURATION


def check(output, scenes, seed, duration, camera):
    """Raise LircDepthError where an argument of ``generate`` cannot be used; touches no file."""
    if scenes < 1:
        raise LircDepthError(f"scenes is {scenes}, expected at least 1")
    if seed < 0:
        raise LircDepthError(f"seed is {seed}, expected 0 or more")
    if not 0 < duration <= MAX_DURATION:
        raise LircDepthError(f"duration is {duration} s, expected more than 0 and at most {MAX_DURATION:g}")
    if camera.width < 32 or camera.height < 32:
        raise LircDepthError(f"image size is {camera.width}x{camera.height}, expected at least 32x32")
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise LircDepthError(f"{output}: exists and is not a directory")
    if output.is_dir() and any(output.iterdir()):
        raise LircDepthError(f"{output}: exists and is not empty; give a new directory or remove it")


def generate(
    output,
    scenes=1,
    seed=0,
    duration=MAX_DURATION,
    camera=CameraModel(),  # noqa: B008 - frozen
    lidar=LidarModel(),  # noqa: B008
    radar=RadarModel(),  # noqa: B008
    version="v1.0-mini",
    device="cpu",
    progress=False,
):
    """Write a nuScenes v1.0 data root of synthetic scenes to the directory ``output``; return it as a Path.

    Each scene has int(2 * duration) + 1 key frames; duration in seconds. The same arguments give the same bytes on one
    platform. ``output`` appears only when it is complete: the files are written beside it first, and removed again
    after an error. progress: show a bar on stderr.
    Raises LircDepthError for arguments that cannot be used, OSError with the file's name when writing fails.
    """
    check(output, scenes, seed, duration, camera)
    output = Path(output)
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        writer = SceneWriter(partial, version, seed, camera, lidar, radar, device)
        if progress:
            from tqdm import tqdm

            bar = tqdm(total=scenes * sum(writer.frames(duration).values()), unit="file", smoothing=0.05)
            advance, close = bar.update, bar.close
        else:
            advance, close = (lambda: None), (lambda: None)
        try:
            for number in range(scenes):
                writer.add_scene(number, duration, advance)
        finally:
            close()
        writer.write_tables()
        os.rename(partial, output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return output


def estimate(scenes=1, seed=0, duration=MAX_DURATION, camera=CameraModel()):  # noqa: B008
    """Return the expected (seconds, bytes) of ``generate``, from one measured capture of each sensor."""
    writer = SceneWriter(None, "", seed, camera, LidarModel(), RadarModel())
    cost, frames = writer.measure(), writer.frames(duration)
    return tuple(scenes * sum(frames[name] * cost[name][k] for name in frames) for k in (0, 1))
