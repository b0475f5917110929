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
}

function closePainter() {
  easel.open = false;
  at(".sheet").hidden = false;
  at(".painter").hidden = true;
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

function stroke(from, to) {
  const pen = easel.mask.getContext("2d");
  pen.globalCompositeOperation = easel.adding ? "source-over" : "destination-out";
  pen.strokeStyle = "#fff";
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = (Number(at(".size input").value) / 100) * Math.max(easel.mask.width, easel.mask.height);
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
    if (!last) return;
    for (const one of event.getCoalescedEvents?.() || [event]) {
      const next = point(one);
      stroke(last, next);
      last = next;
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) veil.addEventListener(kind, () => { last = null; });
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
