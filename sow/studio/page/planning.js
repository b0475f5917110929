// "Plan for me": by rules, or by a language model, which is sent nothing before the user agrees.
const planning = { host: "", busy: false, by: "" };

function drawPlanner() {
  const model = (props.about || {}).planner || {};
  const select = element.querySelector("#sow-planner");
  if (model.vendor) {
    select.prepend(new Option(`${model.vendor} ${model.model}, at ${model.host}`, "model"));
    select.value = "model";
  } else {
    element.querySelector(".hint").textContent = `No language model can be asked: ${model.why || "no key is set"}.`;
  }
}

function ask(by, agreedTo) {
  if (planning.busy) return;
  const model = (props.about || {}).planner || {};
  showConsent(null);
  setBusy(true);
  element.querySelector(".plan-for-me").focus(); // the buttons of the question are gone
  tellPlanned(by === "model" && agreedTo ? `Asking ${model.vendor} …` : "Planning …");
  trigger("plan", { by, agreed_to: agreedTo || "" });
}

function drawPlanned() {
  const planned = props.planned;
  if (!planned) return;
  setBusy(false);
  tellPlanned(planned.problem || "", Boolean(planned.problem));
  showConsent(planned.ask || null);
  if (planned.prompt === undefined) return;
  planning.by = planned.by;
  tellPlanned(`Planned by ${planned.by}.`);
  write({ prompt: planned.prompt });
  tell();
}

// It keeps the focus while it cannot be used, which a disabled button does not.
function setBusy(busy) {
  planning.busy = busy;
  element.querySelector(".plan-for-me").setAttribute("aria-disabled", String(busy));
}

function showConsent(what) {
  const panel = element.querySelector(".consent");
  panel.hidden = !what;
  if (!what) return;
  planning.host = what.host;
  element.querySelector(".who").textContent =
    `${what.vendor} (${what.model}) at ${what.host} would be sent your prompt and the planted part of `
    + `your picture (${Math.ceil(what.bytes / 1000)} kB). Nothing has been sent yet.`;
  const questions = what.questions.map((question) => {
    const item = document.createElement("li");
    item.textContent = question;
    return item;
  });
  element.querySelector(".exactly ol").replaceChildren(...questions);
  element.querySelector(".exactly").open = false;
  element.querySelector(".who").focus();
}

function tellPlanned(text, wrong = false) {
  const line = element.querySelector(".planned");
  line.classList.toggle("wrong", wrong);
  line.textContent = text;
}

// Another prompt, setting or format is planned by rules at once.
function tellReplanned() {
  if (!planning.by || planning.by === "rules") return;
  tellPlanned("You changed it, so it is planned by rules. Plan for me asks again.");
  planning.by = "rules";
}

element.querySelector(".plan-for-me").addEventListener("click", () => {
  ask(element.querySelector("#sow-planner").value);
});
element.querySelector(".yes").addEventListener("click", () => ask("model", planning.host));
element.querySelector(".no").addEventListener("click", () => ask("rules"));
element.querySelector(".consent").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  showConsent(null);
  element.querySelector(".plan-for-me").focus();
});
