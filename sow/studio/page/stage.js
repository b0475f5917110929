const at = (selector) => element.querySelector(selector);

function draw() {
  const view = props.value || { mode: "empty", canvas: [1, 1] };
  const [width, height] = view.canvas;
  at(".sheet").style.aspectRatio = `${width} / ${height}`;
  const piece = at(".piece");
  piece.hidden = !view.piece;
  if (view.piece) {
    piece.querySelector("img").src = view.piece.src;
    const [x, y, w, h] = view.piece.box;
    Object.assign(piece.style, {
      left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`,
      width: `${(100 * w) / width}%`, height: `${(100 * h) / height}%`,
    });
  }
  const job = view.job;
  const preview = at(".preview");
  if (job && job.preview) preview.src = job.preview;
  preview.hidden = !(job && preview.getAttribute("src"));
  at(".said").textContent = job ? `${job.stage} ${Math.round(100 * job.done)} % ${job.message}` : "";
}

at(".drop input").addEventListener("change", (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const reader = new FileReader();
  reader.onload = () => trigger("bring", { data: reader.result, name: file.name });
  reader.readAsDataURL(file);
});

watch("value", draw);
draw();
