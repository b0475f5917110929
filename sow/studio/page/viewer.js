// The large view of one picture: `props.value` is the picture; `props.job`, how far its explanation is.
const at = (selector) => element.querySelector(selector);
const dialog = at(".viewer");
let held = null; // the word whose map stays when the pointer leaves
let fromUs = null; // an address of this browser for the file

function make(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = name;
  return made;
}

function draw() {
  const value = props.value;
  if (!value) return;
  at(".problem").hidden = !value.problem;
  at(".problem").textContent = value.problem || "";
  at(".about").hidden = at(".left").hidden = Boolean(value.problem);
  at(".said").textContent = "";
  held = null;
  if (!value.problem) drawPicture(value);
  if (!dialog.open) dialog.showModal();
}

function drawPicture(value) {
  at(".large").src = value.src;
  at(".large").alt = `${value.prompt}, seed ${value.seed}`;
  at(".place").textContent = value.place ? `${value.place} of ${value.of}` : "";
  for (const step of element.querySelectorAll(".step")) step.hidden = value.of < 2;
  at(".prompt").textContent = value.prompt;
  at(".notes").replaceChildren(...value.notes.map((note) => make("li", note)));
  at(".recipe").replaceChildren(...value.recipe.flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
  fit();
  drawExplained(value.explained);
  showSheet(false);
  warm(null);
}

function fit() { // as large as there is room, in its own shape
  const value = props.value;
  if (!value || value.problem) return;
  const left = at(".left");
  const style = getComputedStyle(left);
  const narrow = getComputedStyle(dialog).display === "block";
  const room = [
    left.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
    narrow ? window.innerHeight * 0.7 : left.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
  ];
  const scale = Math.min(room[0] / value.width, room[1] / value.height);
  if (!(scale > 0)) return;
  at(".frame").style.width = `${Math.floor(value.width * scale)}px`;
  at(".frame").style.height = `${Math.floor(value.height * scale)}px`;
}

// ------------------------------------------------------------------ what the words did

function drawExplained(explained) {
  at(".ask").hidden = Boolean(explained);
  at(".whole").hidden = !explained;
  at(".hint").textContent = explained ? "Point at a word: green is where the picture looked at it."
    : "It takes as long as making the picture once more.";
  at(".words").replaceChildren(...(explained ? explained.words : []).map(wordOf));
  if (explained) at(".sheet img").src = explained.sheet;
}

function wordOf({ word, map }) {
  const item = document.createElement("li");
  const button = make("button", word);
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  const show = () => warm(map);
  const leave = () => warm(held && held.map);
  for (const [event, act] of [["mouseenter", show], ["focus", show], ["mouseleave", leave], ["blur", leave]]) {
    button.addEventListener(event, act);
  }
  button.addEventListener("click", () => hold(button, map));
  item.append(button);
  return item;
}

function hold(button, map) {
  const again = held && held.button === button;
  if (held) held.button.setAttribute("aria-pressed", "false");
  held = again ? null : { button, map };
  button.setAttribute("aria-pressed", String(!again));
  if (held) showSheet(false);
  warm(again ? null : map);
}

let latest = 0;
async function warm(map) { // draw a grey map over the picture: the whiter, the greener
  const mine = ++latest;
  at(".frame").classList.toggle("warm", Boolean(map));
  at(".heat").hidden = !map;
  if (!map) return;
  const image = new Image();
  image.src = map;
  await image.decode();
  if (mine !== latest) return;
  const canvas = at(".heat");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = getComputedStyle(dialog).getPropertyValue("--sow-accent");
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const level = pixels.data[i];
    pixels.data.set([red, green, blue, Math.round(level * 0.85)], i);
  }
  pen.putImageData(pixels, 0, 0);
}

function showSheet(whole) {
  at(".sheet").hidden = !whole;
  at(".frame").hidden = whole;
  at(".whole").setAttribute("aria-pressed", String(whole));
  at(".whole").textContent = whole ? "the picture" : "the whole sheet";
}

function drawJob() {
  const job = props.job;
  if (!job || !props.value || job.name !== props.value.name) return;
  const running = ["waiting", "making"].includes(job.stage);
  at(".ask").disabled = running;
  if (running) at(".hint").textContent = job.stage === "waiting" ? `${job.place} before you` : `${Math.round(100 * job.done)} %`;
  if (job.stage === "failed") at(".hint").textContent = job.message;
}

// ------------------------------------------------------------------ buttons and keys

async function asBlob() {
  return (await fetch(props.value.src)).blob();
}

async function download() {
  if (fromUs) URL.revokeObjectURL(fromUs);
  fromUs = URL.createObjectURL(await asBlob());
  const link = document.createElement("a");
  link.href = fromUs;
  link.download = props.value.file;
  link.click();
}

async function copy() {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": asBlob() })]);
    at(".said").textContent = "Copied.";
  } catch {
    at(".said").textContent = "This browser does not let a page copy pictures: download it.";
  }
}

function tell(event, more = {}) {
  trigger(event, { name: props.value.name, ...more });
}

function leaveFor(event) {
  dialog.close();
  document.querySelector("#stage").scrollIntoView(); // what happens now is seen there
  tell(event);
}

const step = (by) => tell("step", { by });
at(".before").addEventListener("click", () => step(-1));
at(".after").addEventListener("click", () => step(1));
at(".close").addEventListener("click", () => dialog.close());
at(".vary").addEventListener("click", () => leaveFor("vary"));
at(".use").addEventListener("click", () => leaveFor("use"));
at(".download").addEventListener("click", download);
at(".copy").addEventListener("click", copy);
at(".whole").addEventListener("click", () => showSheet(at(".sheet").hidden));
at(".ask").addEventListener("click", () => {
  at(".ask").disabled = true;
  tell("explain");
});
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by || !props.value || props.value.of < 2) return;
  event.preventDefault();
  step(by);
});
new ResizeObserver(fit).observe(at(".left"));

watch("value", draw);
watch("job", drawJob);
