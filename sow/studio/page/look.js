function draw() {
  const grid = element.querySelector(".grid");
  grid.replaceChildren(...(props.value || []).map((picture) => {
    const item = document.createElement("li");
    const image = document.createElement("img");
    image.src = picture.src;
    image.alt = `${picture.prompt}, seed ${picture.seed}`;
    item.append(image);
    return item;
  }));
}

watch("value", draw);
draw();
