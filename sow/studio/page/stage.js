const at = (selector) => element.querySelector(selector);

// What the page shows. The server sends all of it or parts, which are merged here; `edit` counts
// what was moved on the page, so that an answer to an older move changes nothing.
const state = {
  mode: "empty", canvas: [1, 1], grid: 8, sizes: [0, 1e9], picture: null, piece: null, box: null,
  moved: false, regions: [], notes: [], problem: "", job: null, finished: null, edit: 0, version: null,
};

const working = () => state.job !== null || state.finished !== null;

function received() {
  const view = props.value;
  if (!view || "page" in view) return; // it is the page's own
  const before = state.piece;
  const late = view.edit !== undefined && view.edit !== null && view.edit < state.edit;
  if (!late) Object.assign(state, view, { edit: state.edit });
  at(".wait").hidden = true;
  if (view.job !== undefined) follow(view.job);
  if (view.examples) drawExamples(view.examples);
  draw();
  if (state.piece && state.piece !== before) {
    document.dispatchEvent(new CustomEvent("sow-subject", { detail: state.piece.subject }));
    drawPiece();
    if (easel.open) openPainter();
  }
  remind();
}

// What becomes of a job: its previews, and then the finished picture.
function follow(job) {
  state.job = job && ["waiting", "making"].includes(job.stage) ? job : null;
  state.finished = job?.picture || null;
  if (job === null || job.stage === "waiting") state.preview = null;
  if (job?.preview) state.preview = job.preview;
  if (job && !state.job && !state.finished) state.preview = null;
  if (job) closePainter();
}

function draw() {
  at(".stage").dataset.mode = state.mode;
  at(".empty").hidden = state.mode !== "empty" || !at(".camera").hidden;
  at(".work").hidden = state.mode === "empty";
  say(state.problem);
  drawSheet();
  if (state.mode === "empty") return;
  drawSource();
  drawBox();
  drawRegions();
  at(".notes").replaceChildren(...state.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = note;
    return item;
  }));
}

function drawSheet() {
  const sheet = at(".sheet"), shown = at(".shown"), source = state.finished || state.preview
    || (state.mode === "plant" && state.picture.src);
  at(".stage").style.setProperty("--ratio", state.canvas[0] / state.canvas[1]);
  sheet.classList.toggle("working", working());
  shown.hidden = !source;
  if (source && shown.getAttribute("src") !== source) shown.src = source;
  shown.alt = state.finished ? "The finished picture" : working() ? "The picture as it forms" : "";
  at(".piece").hidden = !state.box || Boolean(source);
  at(".regions").hidden = working();
  at(".again").hidden = !state.finished;
  at(".numbers").disabled = working();
  at(".numbers").hidden = !state.box;
  at(".source").hidden = state.mode === "plant"; // it is on the canvas
  at(".brush").disabled = state.job !== null || !state.piece;
  at(".finished").hidden = !state.kept;
  for (const name of ["all", "turn", "finished"]) at(`.${name}`).disabled = state.job !== null;
}

function drawSource() {
  const { picture } = state, image = at(".source img");
  if (image.getAttribute("src") !== picture.src) image.src = picture.src;
  at(".source").classList.toggle("many", picture.faces.length > 1);
  at(".all").setAttribute("aria-pressed", picture.whole);
  const faces = at(".faces");
  faces.replaceChildren(...picture.faces.map((face, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Plant face ${index + 1} of ${picture.faces.length}`);
    button.setAttribute("aria-pressed", index === picture.chosen);
    button.disabled = state.job !== null;
    const [w, h] = [picture.width, picture.height];
    const [left, top] = [Math.max(0, face[0]), Math.max(0, face[1])];
    Object.assign(button.style, {
      left: `${(100 * left) / w}%`, top: `${(100 * top) / h}%`,
      width: `${(100 * (Math.min(w, face[0] + face[2]) - left)) / w}%`,
      height: `${(100 * (Math.min(h, face[1] + face[3]) - top)) / h}%`,
    });
    button.addEventListener("click", () => { busy("Planting it…"); trigger("choose", { face: index }); });
    return button;
  }));
}

function say(problem) {
  for (const line of element.querySelectorAll(".problem")) {
    line.textContent = problem;
    line.hidden = !problem;
  }
}

const complain = (problem) => { state.problem = problem; say(problem); };
const busy = (text) => {
  complain("");
  for (const line of element.querySelectorAll(".wait, .said")) line.textContent = text;
  at(".wait").hidden = !text;
};

listenForPictures();
listenToCamera();
listenToPainter();
listenToPiece();
at(".all").addEventListener("click", () => { busy("Planting it…"); trigger("choose", { face: -1 }); });
at(".turn").addEventListener("click", () => { busy("Planting it…"); trigger("turn"); });
at(".finished").addEventListener("click", () => { busy("Planting it…"); trigger("finished"); });
at(".brush").addEventListener("click", openPainter);
at(".again").addEventListener("click", () => { state.finished = state.preview = null; draw(); });
watch("value", received);
received();
