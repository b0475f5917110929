// Boxes are [x, y, width, height] in canvas pixels. Nothing here touches the page.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const toGrid = (value, grid) => Math.round(value / grid) * grid;
const downTo = (value, grid) => Math.floor(value / grid) * grid;

// The size whose longer side is nearest to `longer`, on the grid and no larger than `room`.
function sizeOf(longer, ratio, grid, room) {
  for (let side = Math.max(toGrid(longer, grid), grid); side > grid; side -= grid) {
    const size = sized(side, ratio, grid);
    if (size[0] <= room[0] && size[1] <= room[1]) return size;
  }
  return sized(grid, ratio, grid);
}

function sized(longer, ratio, grid) {
  const other = (side) => Math.max(toGrid(side, grid), grid);
  return ratio >= 1 ? [longer, other(longer / ratio)] : [other(longer * ratio), longer];
}

function moved([x, y, width, height], dx, dy, grid, canvas) {
  return [
    clamp(toGrid(x + dx, grid), 0, downTo(canvas[0] - width, grid)),
    clamp(toGrid(y + dy, grid), 0, downTo(canvas[1] - height, grid)),
    width,
    height,
  ];
}

// The box with another longer side around the same centre.
function grown([x, y, width, height], by, ratio, grid, canvas) {
  const longer = Math.max(width, height) + by;
  const size = ratio ? sizeOf(longer, ratio, grid, canvas)
    : [clamp(width + by, grid, canvas[0]), clamp(height + by, grid, canvas[1])];
  return moved([x, y, ...size], (width - size[0]) / 2, (height - size[1]) / 2, grid, canvas);
}

// The box after one of its corners was dragged to a point; the opposite corner stays.
function stretched([x, y, width, height], corner, [px, py], ratio, grid, canvas) {
  const west = corner.includes("w"), north = corner.includes("n");
  const ax = west ? x + width : x, ay = north ? y + height : y;
  const room = [west ? ax : canvas[0] - ax, north ? ay : canvas[1] - ay];
  const dx = Math.max(0, west ? ax - px : px - ax), dy = Math.max(0, north ? ay - py : py - ay);
  const free = (side, most) => clamp(toGrid(side, grid), grid, Math.max(grid, downTo(most, grid)));
  const size = ratio
    ? sizeOf(ratio >= 1 ? Math.max(dx, dy * ratio) : Math.max(dy, dx / ratio), ratio, grid, room)
    : [free(dx, room[0]), free(dy, room[1])];
  return [west ? ax - size[0] : ax, north ? ay - size[1] : ay, ...size];
}
