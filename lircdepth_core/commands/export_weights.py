"""`lircdepth export-weights`: a training checkpoint becomes a weights file that everything here loads."""

from pathlib import Path

from lircdepth_core.errors import LircDepthError


def add_arguments(parser):
    parser.add_argument("checkpoint", metavar="FILE.ckpt", help="checkpoint of `lircdepth train`")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="file to write")
    parser.add_argument("--float32", action="store_true", help="keep float32; by default matrices become float16")


def run(arguments):
    from lircdepth_core.training.module import export

    output = Path(arguments.output)
    if output.suffix != ".safetensors":
        raise LircDepthError(f"{output}: expected an output name that ends in .safetensors")
    if not output.absolute().parent.is_dir():
        raise LircDepthError(f"{output.absolute().parent}: no such directory")
    header = export(arguments.checkpoint, output, half=not arguments.float32)
    print(f"{output}: {header.model}, trained on {header.trained_on}, {output.stat().st_size / 1e6:.1f} MB")
