# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The `lircdepth` command: everything that is not a node. Needs no ROS.

A command is a module with ``add_arguments(parser)`` and ``run(arguments)``; it is imported only when it is called,
so that `lircdepth --help` does not wait for PyTorch.
"""

import argparse
import contextlib
import functools
import importlib
import os
import shlex
import signal
import sys

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import remedy
from lircdepth_core.version import VersionAction

COMMANDS = {
    "info": ("lircdepth_core.commands.info", "print a network's parameters and multiply-accumulates by part"),
    "import-checkpoint": ("lircdepth_core.commands.import_checkpoint", "turn a published .pth into .safetensors"),
    "ground-truth": ("lircdepth_core.commands.ground_truth", "make dense depth maps of a nuScenes split"),
    "pack": ("lircdepth_core.commands.pack", "put frames of a nuScenes split into one file to train on"),
    "pack-street": ("lircdepth_core.commands.pack_street", "render frames of the street into one file to train on"),
    "train": ("lircdepth_core.commands.train", "train a teacher or a student with Lightning"),
    "ablation": ("lircdepth_core.commands.ablation", "train and compare the rows of the paper's tables"),
    "eval": ("lircdepth_core.commands.eval", "errors of a network on a nuScenes split"),
    "report": ("lircdepth_core.commands.report", "one HTML page of what eval, eval-bag or a demo wrote"),
    "compare": ("lircdepth_core.commands.compare", "compare two results of eval, image by image"),
    "export": ("lircdepth_core.commands.export", "make a file that ONNX, OpenVINO, torch.export or TensorRT loads"),
    "export-weights": ("lircdepth_core.commands.export_weights", "turn a training checkpoint into .safetensors"),
    "synth": ("lircdepth_core.commands.synth", "generate a synthetic scene as a nuScenes data root"),
    "synth-report": ("lircdepth_core.commands.synth_report", "compare synthetic radar to real; trivial depth guesses"),
    "nuscenes-to-bag": ("lircdepth_ros.commands.nuscenes_to_bag", "convert nuScenes scenes to rosbag2 bags"),
    "verify-bag": (
        "lircdepth_ros.commands.verify_bag",
        "compare a converted bag with its nuScenes scene",
    ),
    "infer-bag": ("lircdepth_ros.commands.infer_bag", "depth for every image of a bag, into a new bag"),
    "infer": ("lircdepth_ros.commands.infer", "depth for one image and one radar scan"),
    "pack-bag": ("lircdepth_ros.commands.pack_bag", "turn one's own drives into frames to train on"),
    "radar-check": ("lircdepth_ros.commands.radar_check", "find out what the radars of a recording measure"),
    "eval-bag": ("lircdepth_ros.commands.eval_bag", "errors of a bag's depth images against its lidar"),
    "view": ("lircdepth_ros.commands.view", "show a bag in a browser, or serve a running node to Foxglove"),
    "doctor": ("lircdepth_ros.commands.doctor", "look at this installation: what is missing, and what mends it"),
    "completion": ("lircdepth_ros.commands.completion", "print what completes this command in a shell"),
    "prepare": ("lircdepth_ros.commands.prepare", "measure backends and build engines before the first drive"),
    "demo": ("lircdepth_ros.commands.demo", "replay a scene through the depth node and look at the result"),
}


# {command: what a newcomer would type}, at the end of its help.
EXAMPLES = {
    "infer": (
        "lircdepth infer --sample -o depth.png",
        "lircdepth infer --image front.jpg --radar scan.pcd --calibration calibration.yaml -o depth.npy",
    ),
    "infer-bag": ("lircdepth infer-bag BAG -o DEPTH --with-inputs --mp4 depth.mp4 --report depth.html",),
    "view": ("lircdepth view BAG", "lircdepth view DEPTH --reference BAG", "lircdepth view --live"),
    "eval-bag": ("lircdepth eval-bag DEPTH --reference BAG -o errors --report errors.html",),
    "eval": (
        "lircdepth eval --dataroot /data/nuscenes --split val --weights student.safetensors -o out/eval",
        "lircdepth eval --packed test.safetensors --weights street -o out/eval --report eval.html",
    ),
    "report": ("lircdepth report out/a out/b -o page.html",),
    "import-checkpoint": ("lircdepth import-checkpoint lircdepth.pth -o lircdepth.safetensors",),
    "export-weights": ("lircdepth export-weights run/checkpoints/best.ckpt -o student.safetensors",),
    "ground-truth": ("lircdepth ground-truth --dataroot /data/nuscenes --split train -o out/ground_truth",),
    "pack": ("lircdepth pack --dataroot /data/nuscenes --dense out/ground_truth -o train.safetensors",),
    "ablation": (
        "lircdepth ablation -o out --train train.safetensors --val val.safetensors --test test.safetensors "
        "--teacher teacher.safetensors --minutes 9",
        "lircdepth ablation -o out --table table.md",
    ),
    "synth-report": (
        "lircdepth synth-report REAL/samples/RADAR_FRONT -o radar_report.png",
        "lircdepth synth-report --baselines test",
    ),
    "compare": ("lircdepth compare out/a out/b -o out/a-b",),
    "nuscenes-to-bag": ("lircdepth nuscenes-to-bag --dataroot /data/nuscenes --scene scene-0061 -o BAG",),
    "verify-bag": ("lircdepth verify-bag BAG --dataroot /data/nuscenes",),
    "synth": ("lircdepth synth -o root --duration 2 --weather clear",),
    "pack-street": ("lircdepth pack-street --split varied --frames 100 -o frames.safetensors",),
    "pack-bag": ("lircdepth pack-bag drive1 drive2 -o drive.safetensors --like street --sheet look.jpg",),
    "radar-check": ("lircdepth radar-check BAG",),
    "export": ("lircdepth export street -o street.onnx --format onnx --size 224 384",),
    "info": ("lircdepth info", "lircdepth info --weights street --json"),
    "doctor": ("lircdepth doctor",),
    "prepare": ("lircdepth prepare --params-file config/model.yaml",),
    "demo": ("lircdepth demo -o out/demo --report out/demo.html",),
    "completion": ('eval "$(lircdepth completion bash)"',),
}


def help_formatter():
    """Return the formatter of helps, which keeps the examples' lines.

    On a terminal it has colours where rich-argparse is installed, unless NO_COLOR is set (https://no-color.org).
    """
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        with contextlib.suppress(ModuleNotFoundError):
            from rich_argparse import RawDescriptionRichHelpFormatter  # here, since a plain help is to be there at once

            RawDescriptionRichHelpFormatter.text_markup = False  # a bracket is a bracket, and marks no style
            RawDescriptionRichHelpFormatter.help_markup = False
            return RawDescriptionRichHelpFormatter
    return argparse.RawDescriptionHelpFormatter


def make_parser(commands):
    """Return the parser in which the named commands have their arguments; each is imported for that."""
    formatter = help_formatter()
    parser = argparse.ArgumentParser(
        prog="lircdepth",
        description="Depth from one camera and a radar.",
        epilog="example:\n  lircdepth infer --sample -o depth.png",
        formatter_class=formatter,
    )
    parser.add_argument("--version", action=VersionAction)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, help_text) in COMMANDS.items():
        examples = "\n".join(f"  {line}" for line in EXAMPLES.get(name, ()))
        subparser = subparsers.add_parser(
            name,
            help=help_text,
            description=help_text.capitalize() + ".",
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=formatter,
        )
        if name in commands:
            command = importlib.import_module(module)
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser


def main(argv=None):
    """Run one command; return its exit status: 0, or 2 after a one-line error, or 130 when interrupted."""
    is_program = argv is None
    argv = sys.argv[1:] if is_program else list(argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        parser = make_parser({chosen})
        arguments = parser.parse_args(argv)
        arguments.command_line = shlex.join(["lircdepth", *argv])  # results say how they were made
        arguments.whole_parser = functools.partial(make_parser, COMMANDS)
        return arguments.run(arguments) or 0
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lircdepth"):
            raise  # our own fault
        print(f"lircdepth {chosen}: error: the package {error.name} is needed: {remedy(error)}", file=sys.stderr)
        return 2
    except (LircDepthError, MemoryError) as error:
        print(f"lircdepth {chosen}: error: {str(error) or 'out of memory'}", file=sys.stderr)
        return 2
    except OSError as error:  # disk full, permission denied: the operating system's words and the file's name
        name = f": {error.filename}" if error.filename else ""
        print(f"lircdepth {chosen}: error: {error.strerror or error}{name}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if is_program:  # only Python's own end is left, which a second SIGINT, such as launch sends, would break off
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"lircdepth {chosen}: interrupted", file=sys.stderr, flush=True)
        return 130


def nuscenes_to_bag():
    """Entry point of `ros2 run lircdepth_ros nuscenes_to_bag`."""
    return main(["nuscenes-to-bag", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
