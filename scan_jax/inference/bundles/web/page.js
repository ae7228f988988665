// The page: a photograph, strokes over it, and the buttons.

const [shown, strokes] = ["shown", "strokes"].map((name) => document.getElementById(name));
const [picture, paint] = [shown, strokes].map((canvas) => canvas.getContext("2d", { willReadFrequently: true }));
const button = (name) => document.getElementById(name);
const say = (text) => (button("about_result").textContent = text);
const worker = new Worker(URL.createObjectURL(new Blob([button("worker").textContent], { type: "text/javascript" })));
let first = null, now = null, lines = [], line = null, ready = false, busy = false, name = "photograph";

const asked = (message, moved = []) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(message, moved);
  });

// Of base64, at once where the browser has that; fetching a data: address takes seconds.
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function load() {
  const parts = {};
  for (const id of ["runtime", "wasm", "model"]) {
    parts[id] = bytesOf(button(id).textContent).buffer;
    button(id).remove();
  }
  await asked(parts, Object.values(parts));
  ready = true;
  say(now ? "Paint over what should be filled." : "Choose a photograph.");
  refresh();
}

function refresh() {
  for (const id of ["undo", "clear"]) button(id).disabled = busy || !lines.length;
  button("fill").disabled = busy || !ready || !lines.length;
  for (const id of ["compare", "download"]) button(id).disabled = busy || first === now;
}

async function open(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return say(`${file.name} is no picture that this browser reads.`);
  }
  for (const canvas of [shown, strokes]) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  picture.fillStyle = "#fff"; // what is transparent
  picture.fillRect(0, 0, shown.width, shown.height);
  picture.drawImage(bitmap, 0, 0);
  first = now = picture.getImageData(0, 0, shown.width, shown.height);
  name = file.name.replace(/\.[^.]*$/, "");
  lines = [];
  say(`${shown.width} x ${shown.height} pixels. ${ready ? "Paint over what should be filled." : "The network is being loaded."}`);
  refresh();
}

function draw() {
  paint.clearRect(0, 0, strokes.width, strokes.height);
  [paint.strokeStyle, paint.lineCap, paint.lineJoin] = [TINT, "round", "round"];
  for (const { width, points } of lines) {
    paint.lineWidth = width;
    paint.beginPath();
    paint.moveTo(...points[0]);
    for (const point of points) paint.lineTo(...point);
    paint.stroke();
  }
}

function place(event) {
  const box = strokes.getBoundingClientRect(), scale = strokes.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

strokes.onpointerdown = (event) => {
  if (!now || busy) return;
  strokes.setPointerCapture(event.pointerId);
  const scale = strokes.width / strokes.getBoundingClientRect().width;
  line = { width: button("brush").value * scale, points: [place(event)] };
  lines.push(line);
  draw();
  refresh();
};
strokes.onpointermove = (event) => line && (line.points.push(place(event)), draw());
strokes.onpointerup = strokes.onpointercancel = () => (line = null);
button("undo").onclick = () => (lines.pop(), draw(), refresh());
button("clear").onclick = () => ((lines = []), draw(), refresh());
button("photograph").onchange = (event) => {
  const file = event.target.files[0];
  if (file) open(file);
  event.target.value = ""; // or the same name could not be chosen again
};
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => (event.preventDefault(), event.dataTransfer.files[0] && open(event.dataTransfer.files[0]));

button("fill").onclick = async () => {
  const { width, height } = shown, start = performance.now();
  const painted = paint.getImageData(0, 0, width, height).data;
  const hole = Uint8Array.from({ length: width * height }, (_, i) => painted[4 * i + 3] >= 128);
  const count = hole.reduce((sum, inside) => sum + inside, 0);
  if (!count || count === hole.length) return say("Paint over a part of the photograph.");
  busy = true;
  refresh();
  try {
    const predict = async (image, known) => (await asked({ image, known, size: SIZE })).prediction;
    const tell = (done, all) => say(`Filling: window ${done + 1} of ${all}.`);
    const pixels = await fillHole(now.data, hole, width, height, predict, tell);
    now = new ImageData(pixels, width, height);
    picture.putImageData(now, 0, 0);
    lines = [];
    draw();
    say(`${count} pixels filled in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  } catch (error) {
    say(`It could not be filled: ${error.message}`);
  }
  busy = false;
  refresh();
};
button("compare").onpointerdown = () => picture.putImageData(first, 0, 0);
button("compare").onpointerup = button("compare").onpointerleave = () => now && picture.putImageData(now, 0, 0);
button("download").onclick = () =>
  shown.toBlob((blob) => {
    const link = document.createElement("a");
    [link.href, link.download] = [URL.createObjectURL(blob), `${name}_filled.png`];
    link.click();
  });

refresh();
load().catch((error) => say(`The network cannot be loaded: ${error.message}`));
