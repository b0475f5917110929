// The words of the prompt that the model does not know: underlined behind the text, named below it.
const PAUSE = 150; // milliseconds without typing before the server is asked
const words = { asked: 0, timer: 0, text: null, subject: "face" };

function showWords() {
  const field = element.querySelector("textarea");
  fit(field);
  if (field.value === words.text) return;
  words.text = field.value;
  mark(field.value, []);
  if (!(props.about || {}).lists_words) return;
  clearTimeout(words.timer);
  words.timer = setTimeout(askWords, PAUSE);
}

async function askWords() {
  const turn = ++words.asked;
  const prompt = element.querySelector("textarea").value;
  const found = prompt.trim()
    ? await server.words({ prompt, subject: words.subject })
    : { marks: [], unknown: [], asked: "" };
  if (turn !== words.asked || !found) return; // a later question is on its way
  mark(prompt, found.marks);
  name(found);
}

// Places are counted in characters, of which some have two parts in JavaScript.
function mark(prompt, places) {
  const letters = Array.from(prompt);
  const parts = [];
  let from = 0;
  for (const [start, end] of places) {
    if (start < from) continue;
    parts.push(letters.slice(from, start).join(""));
    const word = document.createElement("mark");
    word.textContent = letters.slice(start, end).join("");
    parts.push(word);
    from = end;
  }
  parts.push(letters.slice(from).join("") + "\n");
  element.querySelector(".backdrop").replaceChildren(...parts);
}

function name(found) {
  const line = element.querySelector(".words");
  if (!found.unknown.length) {
    line.textContent = "";
    return;
  }
  const parts = [props.about.name, " does not know "];
  found.unknown.slice(0, 6).forEach((word, index) => {
    const shown = document.createElement("b");
    shown.textContent = word;
    parts.push(index ? ", " : "", shown);
  });
  if (found.unknown.length > 6) parts.push(" and more");
  parts.push(found.asked ? `. It is asked for “${found.asked}”.` : ". Nothing of this is left to ask.");
  line.replaceChildren(...parts);
}

// The field is as high as its text.
function fit(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 260)}px`;
  element.querySelector(".backdrop").scrollTop = field.scrollTop;
}

element.querySelector("textarea").addEventListener("scroll", (event) => {
  element.querySelector(".backdrop").scrollTop = event.target.scrollTop;
});

// What is planted decides what a prompt without a person becomes.
document.addEventListener("sow-subject", (event) => {
  if (event.detail === words.subject) return;
  words.subject = event.detail;
  if (words.text) showAgain();
});

function showAgain() {
  words.text = null;
  showWords();
}
