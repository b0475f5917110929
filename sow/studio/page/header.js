// Light or dark: as the system has it, until the button is used; then as it was chosen last.
const KEY = "sow-colours";
const button = element.querySelector(".theme");

function stored() {
  try { return localStorage.getItem(KEY); } catch { return null; } // storage may be forbidden
}

function show(dark) {
  document.body.classList.toggle("dark", dark);
  button.setAttribute("aria-pressed", String(dark));
}

const system = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => show(stored() ? stored() === "dark" : system.matches);
system.addEventListener("change", follow);
button.addEventListener("click", () => {
  const dark = !document.body.classList.contains("dark");
  try { localStorage.setItem(KEY, dark ? "dark" : "light"); } catch { /* for this page only */ }
  show(dark);
});
element.querySelector(".model").textContent = props.value || "";
follow();
