// Ways to bring a picture: drop, paste, choose, take one with the camera, or an example.

const MAX_BYTES = 64 * 2 ** 20;

function bring(file) {
  if (!file) return;
  if (file.size > MAX_BYTES) return complain("The picture is too large: give one of at most 64 MB.");
  const reader = new FileReader();
  reader.onload = () => {
    busy("Looking at the picture…");
    trigger("bring", { data: reader.result, name: file.name || "picture" });
  };
  reader.onerror = () => complain("The picture cannot be read: choose it again.");
  reader.readAsDataURL(file);
}

function listenForPictures() {
  const stage = at(".stage");
  for (const input of element.querySelectorAll(".file")) {
    input.addEventListener("change", () => { bring(input.files[0]); input.value = ""; });
  }
  // Anywhere on the page: a file that misses the stage would replace the page.
  const files = (event) => event.dataTransfer?.types.includes("Files");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!files(event)) return; // text, for the prompt
      event.preventDefault();
      stage.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    stage.classList.remove("over");
    if (!files(event)) return;
    event.preventDefault();
    bring(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
    if (!file) return; // text, for the prompt
    event.preventDefault();
    bring(file);
  });
}

function drawExamples(examples) {
  at(".examples").replaceChildren(...examples.map((example) => {
    const button = document.createElement("button"), image = document.createElement("img");
    button.type = "button";
    button.className = "example";
    image.src = example.src;
    image.alt = example.alt;
    button.title = example.prompt;
    button.append(image);
    button.addEventListener("click", () => {
      busy("Planting it…");
      trigger("example", { name: example.name });
    });
    return button;
  }));
}

function listenToCamera() {
  const camera = at(".camera"), video = camera.querySelector("video");
  let stream = null;
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    camera.hidden = true;
    at(".empty").hidden = false;
  };
  at(".take").hidden = !navigator.mediaDevices?.getUserMedia;
  at(".take").addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    } catch {
      return complain("The camera cannot be used: choose a picture instead.");
    }
    video.srcObject = stream;
    camera.hidden = false;
    at(".empty").hidden = true;
    await video.play();
  });
  camera.querySelector(".leave").addEventListener("click", close);
  camera.querySelector(".shot").addEventListener("click", () => {
    const picture = document.createElement("canvas");
    [picture.width, picture.height] = [video.videoWidth, video.videoHeight];
    picture.getContext("2d").drawImage(video, 0, 0);
    close();
    picture.toBlob((blob) => bring(new File([blob], "camera.jpg")), "image/jpeg", 0.92);
  });
}
