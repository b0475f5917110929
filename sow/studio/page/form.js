// The form: what it says is `props.value`; how the job is, `props.job`; what the model is, `props.about`.
const at = (selector) => element.querySelector(selector);
const form = at(".form");
const MAX_SEED = Number.MAX_SAFE_INTEGER; // larger ones cannot be told apart here
const state = { likeness: null, running: false, since: 0 };

// ------------------------------------------------------------------ what the form says

function read() {
  const data = new FormData(form);
  const seed = parseInt(data.get("seed"), 10);
  const num = parseInt(data.get("num"), 10);
  return {
    prompt: data.get("prompt"),
    negative: data.get("negative"),
    setting: data.get("setting"),
    preset: data.get("preset"),
    canvas: data.get("canvas"),
    num: Math.min(8, Math.max(1, num || 1)),
    seed: Number.isInteger(seed) && seed >= 0 ? Math.min(seed, MAX_SEED) : null,
    likeness: state.likeness,
    explain: data.get("explain") !== null,
  };
}

function tell() {
  props.value = read();
}

function write(value) {
  for (const name of ["prompt", "negative", "setting", "preset", "canvas"]) {
    const field = form.elements.namedItem(name);
    if (name === "preset" && value.preset && ![...field.options].some((option) => option.value === value.preset)) {
      field.append(new Option(value.preset)); // settings that have no name
    }
    if (value[name] !== undefined && field.value !== (value[name] ?? "")) field.value = value[name] ?? "";
  }
  if (value.num) form.elements.namedItem("num").value = value.num;
  if (value.seed !== undefined) form.elements.namedItem("seed").value = value.seed ?? "";
  form.elements.namedItem("explain").checked = Boolean(value.explain);
  if (value.likeness !== undefined) state.likeness = value.likeness;
  drawLikeness();
  drawSeed();
  showWords();
}

// ------------------------------------------------------------------ likeness and seed

function drawLikeness() {
  const slider = at("#sow-likeness");
  const untouched = state.likeness === null;
  slider.value = untouched ? 0.5 : state.likeness;
  slider.classList.toggle("untouched", untouched);
  at(".reset").hidden = untouched;
  const said = untouched ? "as the preset has it" : Number(slider.value).toFixed(2);
  at(".value").textContent = said;
  slider.setAttribute("aria-valuetext", untouched ? said : `${said}; 0 is free to change, 1 as planted`);
}

function drawSeed() {
  at(".clear").hidden = at("#sow-seed").value === "";
}

function roll() {
  at("#sow-seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 100000;
  drawSeed();
  tell();
}

// ------------------------------------------------------------------ the job

function drawJob() {
  const job = props.job;
  const running = Boolean(job) && ["waiting", "making"].includes(job.stage);
  if (running && !state.running) state.since = 0;
  state.running = running;
  at(".go").classList.toggle("busy", running);
  at(".go .label").textContent = running ? "Cancel" : "Generate";
  at(".progress").hidden = !running;
  const problem = job && job.stage === "failed" ? job.message : "";
  at(".problem").hidden = !problem;
  at(".problem").textContent = problem;
  if (running) drawProgress(job);
  else if (job) say({ done: "Done.", cancelled: "Cancelled." }[job.stage] || "");
}

function drawProgress(job) {
  if (job.stage === "making" && !state.since) state.since = performance.now();
  const percent = Math.round(100 * job.done);
  at(".fill").style.width = `${percent}%`;
  at(".track").setAttribute("aria-valuenow", percent);
  const waiting = job.stage === "waiting" && before(job.place);
  at(".left").textContent = waiting || timeLeft(job.done);
  say(waiting || `Making: ${25 * Math.floor(percent / 25)} %`);
}

const before = (place) => (place ? `${place} before you` : "starting");

function timeLeft(done) {
  const spent = (performance.now() - state.since) / 1000;
  if (done < 0.05 || spent < 0.3) return "starting";
  const left = (spent * (1 - done)) / done;
  if (left < 1) return "almost done";
  return left < 90 ? `${Math.ceil(left)} s left` : `${Math.round(left / 60)} min left`;
}

function say(text) { // a screen reader hears it only when it changes
  if (at(".said").textContent !== text) at(".said").textContent = text;
}

// What was wrong may not be so any more.
function forgive() {
  at(".problem").hidden = true;
  if (at(".planned").classList.contains("wrong")) tellPlanned("");
}

// ------------------------------------------------------------------ events

function go() {
  if (state.running) {
    trigger("cancel");
    return;
  }
  tell();
  forgive();
  props.job = { stage: "waiting", place: 0, done: 0, message: "" };
  drawJob();
  trigger("make");
}

function step(by) {
  at("#sow-num").value = Math.min(8, Math.max(1, (parseInt(at("#sow-num").value, 10) || 1) + by));
  tell();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!state.running) go();
  } else if (event.key === "Enter" && event.target.tagName === "INPUT") {
    event.preventDefault(); // Enter in a field makes no picture
  }
});
form.addEventListener("input", (event) => {
  if (event.target.name === "planner") return;
  if (event.target.name === "likeness") state.likeness = Number(event.target.value);
  if (event.target.name === "prompt") showWords();
  drawLikeness();
  drawSeed();
  tell();
  forgive();
});
document.addEventListener("sow-subject", forgive); // something is planted now
form.addEventListener("change", (event) => {
  if (event.target.name === "num") step(0);
  if (event.target.name === "seed") event.target.value = read().seed ?? ""; // what is shown is what is used
  if (["canvas", "prompt", "setting"].includes(event.target.name)) {
    tellReplanned();
    trigger("reshape");
  }
});
at(".less").addEventListener("click", () => step(-1));
at(".more-one").addEventListener("click", () => step(1));
at(".die").addEventListener("click", roll);
at(".clear").addEventListener("click", () => { at("#sow-seed").value = ""; drawSeed(); tell(); at(".die").focus(); });
at(".reset").addEventListener("click", () => { state.likeness = null; drawLikeness(); tell(); at("#sow-likeness").focus(); });

function drawAbout() {
  const about = props.about || {};
  const known = (about.presets || []).map((name) => new Option(name, name));
  at("#sow-preset").append(...known);
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  at(".go kbd").textContent = mac ? "⌘↩" : "Ctrl ↩";
}

drawAbout();
drawPlanner();
write(props.value || {});
drawJob();
watch("value", () => write(props.value || {}));
watch("job", drawJob);
watch("planned", drawPlanned);
