"""First hits of rays from one point with a ground plane and oriented boxes, in plain PyTorch.

Coordinates are centred on the sensor with axes parallel to the global ones, so that float32 is as good a thousand
metres from the map's origin as at it. Rays come in bundles that look roughly the same way; each bundle is tested only
against the boxes that touch the pyramid around it. The nearest box is searched in float32, its hit then solved in
float64: at a grazing angle a direction rounded to float32 alone would move the hit by millimetres.
"""

from dataclasses import dataclass

import torch

GROUND = -1  # in Hits.primitive
NOTHING = -2
_BLOCK = 1 << 16  # rays worked on at once: the temporaries of a block stay in the cache


@dataclass(frozen=True)
class Scene:
    """K boxes with a vertical axis, and a horizontal plane, seen from a point.

    centre [K, 3] and half [K, 3] (half length, width, height) in metres, yaw [K] in radians; float64, one device.
    ground: height of the plane above the point [m]; negative, since sensors are above the ground.
    """

    centre: torch.Tensor
    half: torch.Tensor
    yaw: torch.Tensor
    ground: float


@dataclass(frozen=True)
class Hits:
    """What rays of shape [...] meet first.

    distance: float32 [...] in units of the ray's direction (so a depth for directions with z = 1, a range for unit
    directions), +inf for nothing. primitive: int64 [...] index of the box, or GROUND or NOTHING. normal: float32
    [..., 3], global axes. local: float32 [..., 3], the point in the box's frame from its centre; for the ground the
    sensor-centred point. The last two are 0 where nothing is hit.
    """

    distance: torch.Tensor
    primitive: torch.Tensor
    normal: torch.Tensor
    local: torch.Tensor


def cast(scene, directions):
    """Return the first Hits of rays [T, R, 3] (float64): T bundles of R rays, not necessarily of unit length.

    The rays of a bundle must lie within 90 degrees of their mean (ValueError). A box around the point is not hit.
    """
    bundles, rays = directions.shape[:2]
    touches = torch.cat([_touches(scene, some) for some in directions.split(512)])
    count = touches.sum(1)
    # Bundles with most boxes first: then round j, "the j-th box of every bundle that has one", is a leading slice.
    order = torch.argsort(count, descending=True, stable=True)
    most = int(count.max()) if bundles else 0
    candidates = torch.sort(touches.to(torch.uint8), dim=1, descending=True, stable=True).indices[:, :most]

    distance = torch.empty((bundles, rays), dtype=torch.float32, device=directions.device)
    primitive = torch.empty((bundles, rays), dtype=torch.int64, device=directions.device)
    normal = torch.zeros((bundles, rays, 3), dtype=torch.float32, device=directions.device)
    local = torch.zeros((bundles, rays, 3), dtype=torch.float32, device=directions.device)
    boxes = _in_box_frames(scene)
    boxes32 = boxes.float()
    for some in order.split(max(1, _BLOCK // max(rays, 1))):
        block = directions[some]
        found = _search(boxes32, scene.ground, block.float(), candidates[some], count[some])
        distance[some], normal[some], local[some] = _solve(boxes, scene.ground, block, found)
        primitive[some] = found
    return Hits(distance, primitive, normal, local)


def _touches(scene, directions):
    """Return which boxes may be hit by which bundles: bool [T, K]; errs only towards True."""
    directions = directions.float()
    axis = torch.nn.functional.normalize(directions.mean(1), dim=1)
    up = torch.zeros_like(axis)
    # Any direction that is not the axis gives two sides; up makes a camera's pyramids follow its rows and columns.
    up.scatter_(1, torch.where(axis[:, 2].abs() < 0.9, 2, 0)[:, None], 1.0)
    side = torch.nn.functional.normalize(torch.linalg.cross(up, axis), dim=1)
    top = torch.linalg.cross(axis, side)
    along = (directions @ axis[:, :, None])[..., 0]
    if not (along > 0).all():
        raise ValueError("the rays of one bundle spread over more than 90 degrees from their mean")
    planes = []
    for edge in (side, top):
        slope = (directions @ edge[:, :, None])[..., 0] / along
        planes += [edge - slope.amin(1)[:, None] * axis, slope.amax(1)[:, None] * axis - edge]
    planes = torch.stack(planes, dim=1)  # [T, 4, 3]; inside is where all four products are not negative
    centre, half = scene.centre.float(), scene.half.float()
    cos, sin = torch.cos(scene.yaw).float(), torch.sin(scene.yaw).float()
    x, y, z = planes.split(1, dim=2)
    reach = half[:, 0] * (x * cos + y * sin).abs() + half[:, 1] * (y * cos - x * sin).abs() + half[:, 2] * z.abs()
    return (planes @ centre.T + reach > -1e-2).all(1)  # a centimetre of slack covers the rounding


def _in_box_frames(scene):
    """Return [K, 8] a box: cos and sin of yaw, the centre turned into the box's own axes, the half sizes."""
    cos, sin = torch.cos(scene.yaw), torch.sin(scene.yaw)
    x, y, z = scene.centre.unbind(1)
    return torch.cat([torch.stack([cos, sin, cos * x + sin * y, cos * y - sin * x, z], dim=1), scene.half], dim=1)


def _search(boxes, ground, directions, candidates, count):
    """Return the nearest primitive of each ray [B, R, 3]; candidates [B, most] and count [B], which descends."""
    x, y, z = (component.contiguous() for component in directions.unbind(2))
    best = torch.where(z < 0, ground / z, torch.inf)
    nearest = torch.where(z < 0, GROUND, NOTHING)
    tiny = 1e-20  # a ray parallel to a face: the slab's two distances become huge instead of NaN
    inverse_z = 1 / (z + tiny)
    length_z = inverse_z.abs()
    # One transfer instead of one a round, which a GPU would have to wait for.
    remaining = [int((count > j).sum()) for j in range(int(count[0]))] if len(count) else []
    for j, n in enumerate(remaining):
        box = candidates[:n, j, None]
        cos, sin, cx, cy, cz, hx, hy, hz = boxes[box].unbind(2)
        inverse = 1 / (cos * x[:n] + sin * y[:n] + tiny)
        middle, reach = cx * inverse, hx * inverse.abs()
        near, far = middle - reach, middle + reach
        inverse = 1 / (cos * y[:n] - sin * x[:n] + tiny)
        middle, reach = cy * inverse, hy * inverse.abs()
        near, far = torch.maximum(near, middle - reach), torch.minimum(far, middle + reach)
        middle, reach = cz * inverse_z[:n], hz * length_z[:n]
        near, far = torch.maximum(near, middle - reach), torch.minimum(far, middle + reach)
        closer = (near <= far) & (near > 0) & (near < best[:n])
        best[:n] = torch.where(closer, near, best[:n])
        nearest[:n] = torch.where(closer, box, nearest[:n])
    return nearest


def _solve(boxes, ground, directions, primitive):
    """Return distance, normal and local point (float32) of rays [B, R, 3] whose primitive [B, R] is known."""
    distance = torch.full(primitive.shape, torch.inf, dtype=torch.float64, device=primitive.device)
    normal, local = torch.zeros_like(directions), torch.zeros_like(directions)
    on_ground = primitive == GROUND
    rays = directions[on_ground]
    distance[on_ground] = ground / rays[:, 2]
    local[on_ground] = rays * distance[on_ground][:, None]
    normal[..., 2] = on_ground.to(normal.dtype)

    on_box = primitive >= 0
    rays = directions[on_box]
    cos, sin, *centre_half = boxes[primitive[on_box]].unbind(1)
    centre, half = torch.stack(centre_half[:3], dim=1), torch.stack(centre_half[3:], dim=1)
    turned = torch.stack([cos * rays[:, 0] + sin * rays[:, 1], cos * rays[:, 1] - sin * rays[:, 0], rays[:, 2]], dim=1)
    inverse = 1 / (turned + 1e-20)
    near, face = (centre * inverse - half * inverse.abs()).max(1)
    outward = -torch.sign(turned.gather(1, face[:, None]))
    turned_normal = torch.zeros_like(turned).scatter_(1, face[:, None], outward)
    nx, ny, nz = turned_normal.unbind(1)
    distance[on_box] = near
    local[on_box] = turned * near[:, None] - centre
    normal[on_box] = torch.stack([cos * nx - sin * ny, sin * nx + cos * ny, nz], dim=1)
    return distance.float(), normal.float(), local.float()
