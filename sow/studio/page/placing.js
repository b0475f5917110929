// The planted piece and its regions on the canvas: dragged, resized, typed.

// Makes a node movable. `what` has box(), put(box), done(), ratio() (0: free), step().
function movable(node, what) {
  let drag = null;
  const toCanvas = () => state.canvas[0] / at(".sheet").getBoundingClientRect().width;
  node.addEventListener("pointerdown", (event) => {
    if (drag || event.button > 0 || working()) return;
    event.preventDefault();
    state.edit += 1; // an answer to an older move would pull it away from under the hand
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    const corner = event.target.dataset.corner || "";
    drag = { id: event.pointerId, x: event.clientX, y: event.clientY, box: what.box(), corner };
    at(".sheet").classList.add("dragging");
  });
  node.addEventListener("pointermove", (event) => {
    if (drag?.id !== event.pointerId) return;
    const scale = toCanvas(), { box, corner } = drag;
    const dx = (event.clientX - drag.x) * scale, dy = (event.clientY - drag.y) * scale;
    const at_corner = [
      box[0] + (corner.includes("w") ? 0 : box[2]) + dx, box[1] + (corner.includes("n") ? 0 : box[3]) + dy,
    ];
    what.put(corner ? stretched(box, corner, at_corner, what.ratio(), what.step(), state.canvas)
      : moved(box, dx, dy, what.step(), state.canvas));
  });
  const drop = (event) => {
    if (drag?.id !== event.pointerId) return;
    drag = null;
    at(".sheet").classList.remove("dragging");
    what.done();
  };
  for (const kind of ["pointerup", "pointercancel"]) node.addEventListener(kind, drop);
  node.addEventListener("keydown", (event) => {
    if (working()) return;
    const box = afterKey(event, what);
    if (!box) return;
    event.preventDefault();
    what.put(box);
    what.done(true);
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The box after a key: arrows move it, plus and minus or Shift with arrows resize it.
function afterKey(event, what) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const box = what.box(), grid = state.grid, arrow = ARROWS[event.key];
  if (event.shiftKey && arrow && !what.ratio()) return stretched(box, "se", [
    box[0] + box[2] + arrow[0] * grid, box[1] + box[3] + arrow[1] * grid], 0, 1, state.canvas);
  const grow = { "+": 1, "=": 1, "-": -1, "_": -1 }[event.key] || (event.shiftKey && arrow ? arrow[0] + arrow[1] : 0);
  if (grow) return grown(box, grow * grid, what.ratio(), what.ratio() ? grid : 1, state.canvas);
  return arrow ? moved(box, arrow[0] * grid, arrow[1] * grid, what.step(), state.canvas) : null;
}

function put(node, [x, y, width, height]) {
  const [w, h] = state.canvas;
  Object.assign(node.style, {
    left: `${(100 * x) / w}%`, top: `${(100 * y) / h}%`,
    width: `${(100 * width) / w}%`, height: `${(100 * height) / h}%`,
  });
}

const NUMBERS = ["x", "y", "width", "height"];
let typed = null; // the field in which a number is being written: an answer does not replace it

function drawBox() {
  if (!state.box) return;
  put(at(".piece"), state.box);
  NUMBERS.forEach((name, index) => {
    const field = at(`.numbers [name=${name}]`);
    field.step = state.grid;
    if (field !== typed) field.value = state.box[index];
  });
  const longer = Math.max(state.box[2], state.box[3]), [least, most] = state.sizes;
  const hint = at(".hint");
  hint.hidden = longer >= least - state.grid && longer <= most + state.grid;
  hint.textContent = `${longer < least ? "Smaller" : "Larger"} than what works best: ${least} to ${most} px.`;
}

// Says what was moved: to a screen reader, and to the server, at once or when the keys have rested.
let resting = 0;
function placed(name, [x, y, width, height], soon) {
  state.edit += 1;
  remind();
  at(".said").textContent = `${name} at ${x}, ${y}, ${width} by ${height} pixels`;
  clearTimeout(resting);
  const say = () => trigger("placed", { edit: state.edit });
  if (soon) resting = setTimeout(say, 250);
  else say();
}

const placedPiece = (soon) => placed("Piece", state.box, soon);

// What the page knows, as the value that comes with every event.
function remind() {
  const regions = state.regions.filter((region) => region.moved).map((region) => [region.label, region.box]);
  props.value = {
    page: state.edit, version: state.version, box: state.moved ? state.box : null, regions: Object.fromEntries(regions),
  };
}

function listenToPiece() {
  movable(at(".piece"), {
    box: () => state.box,
    put: (box) => { state.box = box; state.moved = true; drawBox(); },
    done: placedPiece,
    ratio: () => state.piece.ratio,
    step: () => state.grid,
  });
  NUMBERS.forEach((name, index) => {
    const field = at(`.numbers [name=${name}]`);
    field.addEventListener("input", () => { typed = field; });
    field.addEventListener("blur", () => { typed = null; drawBox(); });
    field.addEventListener("change", (event) => {
      typed = null;
      const value = Number.parseInt(event.target.value, 10);
      if (Number.isFinite(value)) state.box = withNumber(index, value);
      state.moved = true;
      drawBox();
      placedPiece();
    });
  });
}

function withNumber(index, value) {
  const { grid, canvas, piece: { ratio } } = state, [x, y, width, height] = state.box;
  if (index === 0) return moved([value, y, width, height], 0, 0, grid, canvas);
  if (index === 1) return moved([x, value, width, height], 0, 0, grid, canvas);
  const longer = (index === 2) === ratio >= 1 ? value : value * (ratio >= 1 ? ratio : 1 / ratio);
  return moved([x, y, ...sizeOf(longer, ratio, grid, canvas)], 0, 0, grid, canvas);
}

function drawRegions() {
  const holder = at(".regions"), known = [...holder.children];
  while (holder.children.length > state.regions.length) holder.lastChild.remove();
  state.regions.forEach((region, index) => {
    const node = known[index] || holder.appendChild(regionNode(index));
    node.firstChild.textContent = region.label;
    node.setAttribute("aria-label", `Region ${region.label}: arrow keys move it, plus and minus resize it`);
    node.classList.toggle("moved", region.moved);
    put(node, region.box);
  });
}

function regionNode(index) {
  const node = document.createElement("div");
  node.className = "region";
  node.tabIndex = 0;
  node.setAttribute("role", "application");
  node.setAttribute("aria-roledescription", "movable region");
  node.append(document.createElement("span"), ...["nw", "ne", "sw", "se"].map((corner) => {
    const handle = document.createElement("i");
    handle.dataset.corner = corner;
    return handle;
  }));
  movable(node, {
    box: () => state.regions[index].box,
    put: (box) => { Object.assign(state.regions[index], { box, moved: true }); drawRegions(); },
    done: (soon) => placed(state.regions[index].label, state.regions[index].box, soon),
    ratio: () => 0,
    step: () => 1,
  });
  return node;
}

// The planted pixels, without what the mask leaves out.
async function drawPiece() {
  const piece = state.piece, canvas = at(".piece canvas");
  const [picture, mask] = await Promise.all([piece.src, piece.mask].map(async (src) => {
    const image = new Image();
    image.src = src;
    await image.decode();
    return image;
  }));
  if (piece !== state.piece) return; // another came meanwhile
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  pen.globalCompositeOperation = "destination-in";
  pen.drawImage(mask, 0, 0, canvas.width, canvas.height);
  canvas.dataset.drawn = piece.painted ? "painted" : "found";
}
