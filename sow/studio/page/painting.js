// The outline of what is planted, painted by hand. The mask's alpha is what is kept.

const VEIL = "rgba(24, 28, 26, 0.72)";
const easel = { mask: null, steps: [], adding: true, drawing: false, open: false };

async function maskCanvas(piece) {
  const image = new Image();
  image.src = piece.mask;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}

async function openPainter() {
  easel.mask = await maskCanvas(state.piece);
  easel.steps = [];
  easel.open = true;
  const { width, height } = easel.mask, veil = at(".veil");
  at(".easel").style.setProperty("--ratio", width / height);
  at(".easel img").src = state.piece.src;
  [veil.width, veil.height] = [width, height];
  drawVeil();
  at(".sheet").hidden = true;
  at(".painter").hidden = false;
  at(".below").hidden = true;
  at(".easel").scrollIntoView({ block: "nearest" });
}

function closePainter() {
  easel.open = false;
  at(".sheet").hidden = false;
  at(".painter").hidden = true;
  at(".below").hidden = false;
}

function drawVeil() {
  const veil = at(".veil"), pen = veil.getContext("2d");
  pen.globalCompositeOperation = "copy";
  pen.fillStyle = VEIL;
  pen.fillRect(0, 0, veil.width, veil.height);
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(easel.mask, 0, 0);
  at(".undo").disabled = easel.steps.length === 0;
}

function remember() {
  const step = document.createElement("canvas");
  [step.width, step.height] = [easel.mask.width, easel.mask.height];
  step.getContext("2d").drawImage(easel.mask, 0, 0);
  easel.steps = [...easel.steps.slice(-29), step];
}

// How wide the brush is, in pixels of the mask.
const brushWidth = () => (Number(at(".size input").value) / 100) * Math.max(easel.mask.width, easel.mask.height);

// Shows the brush at a point of the mask.
function showRing([x, y]) {
  const { width, height } = easel.mask, ring = at(".ring"), size = brushWidth();
  ring.hidden = false;
  Object.assign(ring.style, {
    left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`,
    width: `${(100 * size) / width}%`, height: `${(100 * size) / height}%`,
  });
}

function stroke(from, to) {
  const pen = easel.mask.getContext("2d");
  pen.globalCompositeOperation = easel.adding ? "source-over" : "destination-out";
  pen.strokeStyle = "#fff";
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = brushWidth();
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(to[0] + 0.01, to[1]); // a click is a dot
  pen.stroke();
  drawVeil();
}

function paintedMask() {
  const { width, height } = easel.mask, canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.fillRect(0, 0, width, height);
  pen.drawImage(easel.mask, 0, 0);
  return canvas.toDataURL("image/png");
}

function listenToPainter() {
  const veil = at(".veil");
  const point = (event) => {
    const rect = veil.getBoundingClientRect();
    return [
      ((event.clientX - rect.left) * veil.width) / rect.width,
      ((event.clientY - rect.top) * veil.height) / rect.height,
    ];
  };
  let last = null;
  veil.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    veil.setPointerCapture(event.pointerId);
    remember();
    last = point(event);
    stroke(last, last);
  });
  veil.addEventListener("pointermove", (event) => {
    showRing(point(event));
    if (!last) return;
    for (const one of event.getCoalescedEvents?.() || [event]) {
      const next = point(one);
      stroke(last, next);
      last = next;
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) veil.addEventListener(kind, () => { last = null; });
  veil.addEventListener("pointerleave", () => { at(".ring").hidden = true; });
  listenToBrushKeys(veil);
  const choose = (adding) => {
    easel.adding = adding;
    at(".add").setAttribute("aria-pressed", adding);
    at(".remove").setAttribute("aria-pressed", !adding);
  };
  at(".add").addEventListener("click", () => choose(true));
  at(".remove").addEventListener("click", () => choose(false));
  at(".undo").addEventListener("click", () => { easel.mask = easel.steps.pop(); drawVeil(); });
  at(".reset").addEventListener("click", () => { busy("Finding the outline…"); trigger("paint", { mask: null }); });
  at(".painter .leave").addEventListener("click", closePainter);
  at(".painter .done").addEventListener("click", () => {
    trigger("paint", { mask: paintedMask() });
    closePainter();
  });
}

// The brush by keyboard: arrows move it, Space paints where it is and, held, along its way.
function listenToBrushKeys(veil) {
  let spot = null, held = false;
  const centre = () => [easel.mask.width / 2, easel.mask.height / 2];
  veil.addEventListener("focus", () => { if (veil.matches(":focus-visible")) showRing(spot ||= centre()); });
  veil.addEventListener("blur", () => { at(".ring").hidden = true; held = false; });
  veil.addEventListener("keyup", (event) => { if (event.key === " ") held = false; });
  veil.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key], step = Math.max(1, brushWidth() / 3);
    if (!arrow && event.key !== " ") return;
    event.preventDefault();
    const from = spot || centre();
    spot = arrow ? [clamp(from[0] + arrow[0] * step, 0, veil.width), clamp(from[1] + arrow[1] * step, 0, veil.height)] : from;
    if (event.key === " " && !held) { held = true; remember(); }
    if (held) stroke(from, spot);
    showRing(spot);
  });
}
