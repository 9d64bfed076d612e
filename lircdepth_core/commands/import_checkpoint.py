"""`lircdepth import-checkpoint`: a published .pth becomes a safetensors file that everything here loads."""

from pathlib import Path

from lircdepth_core.errors import LircDepthError


def add_arguments(parser):
    parser.add_argument("checkpoint", metavar="FILE.pth", help="published LiRCDepth or CaFNet checkpoint")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="file to write")


def run(arguments):
    from lircdepth_core.models import checkpoints

    output = Path(arguments.output)
    if output.suffix != ".safetensors":
        raise LircDepthError(f"{output}: expected an output name that ends in .safetensors")
    if not output.absolute().parent.is_dir():
        raise LircDepthError(f"{output.absolute().parent}: no such directory")
    network, header = checkpoints.load_published(arguments.checkpoint)
    checkpoints.save(output, network, header)
    print(f"{output}: {header.model}, trained on {header.trained_on}")
