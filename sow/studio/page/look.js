// The grid of finished pictures: `props.value` is what the server lists.
const at = (selector) => element.querySelector(selector);
const HEIGHT = 180; // of a row, about
const GAP = 12;
let asked = null; // the search that is on its way
let waiting = 0; // until nobody writes in it any more

function tileOf(picture) {
  const known = [...at(".grid").children].find((item) => item.dataset.name === picture.name);
  const item = known || document.createElement("li");
  if (!known) item.append(makeTile());
  item.dataset.name = picture.name;
  const tile = item.querySelector(".tile");
  const image = tile.querySelector("img");
  if (image.getAttribute("src") !== picture.thumb) image.src = picture.thumb;
  image.alt = `${picture.prompt}, seed ${picture.seed}${picture.wrong ? "; look at its notes" : ""}`;
  tile.querySelector(".mark").hidden = !picture.wrong;
  tile.title = picture.prompt;
  return item;
}

function makeTile() {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.textContent = "!";
  mark.setAttribute("aria-hidden", "true");
  tile.append(document.createElement("img"), mark);
  return tile;
}

function draw() {
  const value = props.value || { pictures: [], found: 0, query: "" };
  at(".grid").replaceChildren(...value.pictures.map(tileOf));
  at(".look").hidden = !value.found && !value.query && asked === null;
  at(".count").textContent = value.found || "";
  at(".none").textContent = value.found ? "" : "No picture has all of these words.";
  at(".more").hidden = value.pictures.length >= value.found;
  if (!waiting && document.activeElement !== at(".search")) at(".search").value = value.query;
  layOut();
}

// Rows are as wide as the grid, whatever the shapes of their pictures; the last one is as high as the one before.
function layOut() {
  const room = at(".grid").clientWidth;
  let [row, wide, before] = [[], 0, HEIGHT];
  const end = (height) => {
    before = Math.min(height, 1.6 * HEIGHT);
    row.forEach(([item, ratio]) => Object.assign(item.style, { height: `${before}px`, width: `${Math.floor(100 * ratio * before) / 100}px` }));
    [row, wide] = [[], 0];
  };
  [...at(".grid").children].forEach((item, index) => {
    const { width, height } = props.value.pictures[index];
    row.push([item, width / height]);
    wide += width / height;
    const fitting = (room - GAP * (row.length - 1) - 1) / wide;
    if (fitting <= HEIGHT) end(fitting);
  });
  if (row.length) end(Math.min(before, (room - GAP * (row.length - 1) - 1) / wide));
}

at(".search").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    waiting = 0;
    asked = at(".search").value;
    trigger("search", { query: asked });
  }, 200);
});
at(".more").addEventListener("click", () => trigger("more", {}));
at(".grid").addEventListener("click", (event) => {
  const item = event.target.closest("li[data-name]");
  if (item) trigger("open", { name: item.dataset.name });
});
at(".grid").addEventListener("keydown", (event) => {
  const tiles = [...at(".grid").querySelectorAll(".tile")];
  const now = tiles.indexOf(document.activeElement);
  const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tiles.length - 1 }[event.key];
  if (next === undefined || !tiles[next]) return;
  event.preventDefault();
  tiles[next].focus();
});
// More come by themselves when the end of the grid is reached.
new IntersectionObserver((seen) => {
  if (seen[0].isIntersecting && !at(".more").hidden) trigger("more", {});
}).observe(at(".more"));

new ResizeObserver(layOut).observe(at(".look"));

watch("value", draw);
draw();
