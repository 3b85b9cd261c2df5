// The page of `rungwise serve`: draw or drop a picture, see what the net answers.
"use strict";

const MOST_BARS = 12;
const BOARD_SIDE = 280;
const KEY_STEP = 7;
const ASK_AFTER_MS = 80;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const at = (id) => document.getElementById(id);
const board = at("board");
const ink = board.getContext("2d", { willReadFrequently: true });
let net = null;
let token = sessionStorage.getItem("token");

// ---- The service ----

class Refused extends Error {
  constructor(status, told) {
    super(told.problem);
    this.status = status;
    this.told = told;
  }
}

async function call(path, options = {}) {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    const fix = "see whether `rungwise serve` still runs";
    throw new Refused(0, { problem: "the service does not answer", expected: "an answer", fix });
  }
  const value = await response.json();
  if (!response.ok) throw new Refused(response.status, value);
  return value;
}

async function start() {
  try {
    net = await call("/model");
  } catch (error) {
    if (error.status === 401) {
      if (token) show(error);
      at("key").hidden = false;
      at("facts").textContent = "";
      at("token").focus();
    } else {
      show(error);
    }
    return;
  }
  at("key").hidden = true;
  at("problem").hidden = true;
  at("files").hidden = at("output").hidden = false;
  describe();
  if (net.channels === 1) prepareBoard();
}

at("key").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  sessionStorage.setItem("token", token);
  start();
});

function describe() {
  const kind = net.channels === 1 ? "grey" : "colour";
  const facts = [
    `${net.classes.length} classes`,
    `${kind} pictures of ${net.width}×${net.height} pixels`,
    net.nets > 1 ? `${net.nets} nets` : "",
    net.views > 1 ? `${net.views} views of each picture` : "",
    net.reconstructs ? "reconstructs" : "",
  ];
  at("name").textContent = net.name;
  document.title = `${net.name} – rungwise serve`;
  at("facts").textContent = facts.filter(Boolean).join(" · ");
  at("size").textContent = net.resizes
    ? `Picture files of any size are resized to ${net.width}×${net.height}.`
    : `Picture files must be ${net.width}×${net.height} pixels, as in training.`;
}

// ---- Asking: one question at a time, and of those that come meanwhile only the last ----

let asking = false;
let next = null;
let subject = 0; // Counts cleared boards and new files: a late answer is not about what is there now.

async function ask(makePicture) {
  next = makePicture;
  if (asking) return;
  asking = true;
  while (next) {
    const [make, about] = [next, subject];
    next = null;
    const blob = await make();
    const started = performance.now();
    try {
      const type = blob.type.startsWith("image/") ? blob.type : "application/octet-stream";
      const body = { method: "POST", body: blob, headers: { "Content-Type": type } };
      const answer = await call("/predict?explain=true", body);
      if (about === subject) showAnswer(answer.predictions[0], performance.now() - started);
    } catch (error) {
      if (about === subject) show(error);
    }
  }
  asking = false;
}

function show(error) {
  const told = error.told ?? { problem: String(error), expected: "", fix: "reload the page" };
  at("what").textContent = told.problem;
  at("expected").textContent = told.expected;
  at("fix").textContent = told.fix;
  at("output").hidden = at("problem").hidden = false;
  at("answer").hidden = at("waiting").hidden = true;
}

function forget() {
  next = null;
  subject += 1;
  at("problem").hidden = at("answer").hidden = true;
  at("waiting").hidden = false;
}

function showAnswer(answer, milliseconds) {
  at("problem").hidden = at("waiting").hidden = true;
  at("answer").hidden = false;
  at("class").textContent = answer.class;
  at("class").classList.toggle("long", answer.class.length > 6);
  at("probability").textContent = percent(answer.probability);
  at("picture").src = answer.picture;
  at("rebuilt").hidden = !answer.reconstruction;
  if (answer.reconstruction) at("reconstruction").src = answer.reconstruction;
  showBars(answer);
  showViews(answer);
  at("took").textContent = `Answered in ${Math.max(1, Math.round(milliseconds))} ms.`;
}

function showBars(answer) {
  let rows = Object.entries(answer.probabilities);
  const rest = rows.length - MOST_BARS;
  if (rest > 0) rows = rows.sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS);
  const items = rows.map(([name, probability]) => {
    const item = element("li", name === answer.class ? "top" : "");
    const track = element("div", "track");
    const bar = element("div", "bar");
    bar.style.width = `${100 * probability}%`;
    track.append(bar);
    item.append(element("span", "", name), track, element("span", "", percent(probability)));
    return item;
  });
  if (rest > 0) items.push(element("li", "rest", `and ${rest} classes with less`));
  at("bars").replaceChildren(...items);
}

function showViews(answer) {
  at("looks").hidden = answer.views.length < 2;
  const below = net.recipe.views?.below ?? 1;
  at("mean").textContent = below < 1
    ? `averaged where the net gives its likeliest class less than ${percent(below)}`
    : "their weighted mean is the answer";
  const items = answer.views.map((view) => {
    const item = element("li", view.class === answer.class ? "" : "other");
    const image = element("img");
    image.src = view.picture;
    image.alt = "";
    const told = net.nets > 1 ? ` (net ${view.net + 1})` : "";
    item.append(image, `${view.class} ${percent(view.probability)}${told}`);
    return item;
  });
  at("views").replaceChildren(...items);
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

// ---- The drawing board ----

let pen = null;
let keyboard = { x: 0, y: 0, down: false };
let timer = null;
let drawn = false;

function prepareBoard() {
  const scale = Math.max(1, Math.round(BOARD_SIDE / Math.max(net.width, net.height)));
  board.width = net.width * scale;
  board.height = net.height * scale;
  at("manner").textContent = isMnist()
    ? "Centre and scale the drawing as MNIST's digits are"
    : "Cut the drawing out and fit it into the picture";
  at("drawing").hidden = false;
  clear();
}

const isMnist = () => net.width === 28 && net.height === 28;

function clear() {
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, board.width, board.height);
  drawn = false;
  keyboard = { x: board.width / 2, y: board.height / 2, down: false };
  placeCursor();
  at("invitation").hidden = false;
  clearTimeout(timer);
  forget();
}

function stroke(from, to) {
  ink.strokeStyle = "#fff";
  ink.lineCap = ink.lineJoin = "round";
  ink.lineWidth = (at("brush").valueAsNumber * board.width) / 28;
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y + (from.x === to.x && from.y === to.y ? 0.01 : 0));
  ink.stroke();
  drawn = true;
  at("invitation").hidden = true;
  askSoon();
}

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => drawn && ask(drawing), ASK_AFTER_MS);
}

function place(event) {
  const box = board.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * board.width,
    y: ((event.clientY - box.top) / box.height) * board.height,
  };
}

board.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  board.setPointerCapture(event.pointerId);
  pen = place(event);
  stroke(pen, pen);
});

board.addEventListener("pointermove", (event) => {
  if (!pen) return;
  for (const step of event.getCoalescedEvents?.() ?? [event]) {
    const to = place(step);
    stroke(pen, to);
    pen = to;
  }
});

for (const name of ["pointerup", "pointercancel"]) {
  board.addEventListener(name, () => { pen = null; });
}

board.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (arrow) {
    const limit = (value, most) => Math.min(Math.max(value, 0), most);
    const to = {
      x: limit(keyboard.x + KEY_STEP * arrow[0], board.width),
      y: limit(keyboard.y + KEY_STEP * arrow[1], board.height),
    };
    if (keyboard.down) stroke(keyboard, to);
    keyboard = { ...to, down: keyboard.down };
  } else if (event.key === " ") {
    keyboard.down = !keyboard.down;
    if (keyboard.down) stroke(keyboard, keyboard);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    clear();
  } else {
    return;
  }
  event.preventDefault();
  placeCursor();
});

function placeCursor() {
  const cursor = at("cursor");
  cursor.hidden = !board.matches(":focus-visible");
  cursor.classList.toggle("down", keyboard.down);
  cursor.style.left = `${(100 * keyboard.x) / board.width}%`;
  cursor.style.top = `${(100 * keyboard.y) / board.height}%`;
}

board.addEventListener("focus", placeCursor);
board.addEventListener("blur", () => { keyboard.down = false; placeCursor(); });
at("clear").addEventListener("click", clear);
at("centre").addEventListener("change", askSoon);

// ---- From a drawing to the picture that is sent ----

async function drawing() {
  const grey = pixelsOf(board);
  const whole = { x: 0, y: 0, width: board.width, height: board.height };
  const picture = at("centre").checked
    ? fitted(grey, inkBox(grey))
    : shrunk(grey, whole, net.width, net.height);
  return pngOf(picture);
}

function pixelsOf(canvas) {
  const { data, width, height } = ink.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Float64Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = data[4 * i];
  return { values, width, height };
}

function inkBox({ values, width, height }) {
  let left = width, top = height, right = 0, bottom = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (values[y * width + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

// MNIST: the digit's box is scaled to 20 pixels at its longer side and set so that its centre of mass
// is the centre of 28×28 pixels (LeCun et al. 1998). Elsewhere the box fills the picture, centred.
function fitted(grey, box) {
  const side = isMnist() ? 20 : Math.min(net.width, net.height);
  const scale = side / Math.max(box.width, box.height);
  const width = Math.max(1, Math.round(box.width * scale));
  const height = Math.max(1, Math.round(box.height * scale));
  const small = shrunk(grey, box, width, height);
  const centre = isMnist() ? centreOfMass(small) : { x: width / 2, y: height / 2 };
  const left = Math.min(Math.max(Math.round(net.width / 2 - centre.x), 0), net.width - width);
  const top = Math.min(Math.max(Math.round(net.height / 2 - centre.y), 0), net.height - height);
  const values = new Float64Array(net.width * net.height);
  for (let y = 0; y < height; y++) {
    const row = small.values.subarray(y * width, (y + 1) * width);
    values.set(row, (top + y) * net.width + left);
  }
  return { values, width: net.width, height: net.height };
}

function centreOfMass({ values, width, height }) {
  let sum = 0, x = 0, y = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = values[row * width + column];
      sum += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return { x: x / sum, y: y / sum };
}

// Each new pixel is the mean of the area that it covers.
function shrunk(grey, box, width, height) {
  const values = new Float64Array(width * height);
  const columns = coverage(box.x, box.width, width, grey.width);
  const rows = coverage(box.y, box.height, height, grey.height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [row, high] of rows[y]) {
        for (const [column, wide] of columns[x]) {
          sum += high * wide * grey.values[row * grey.width + column];
        }
      }
      values[y * width + x] = sum;
    }
  }
  return { values, width, height };
}

// For each of `count` equal parts of a stretch: the pixels that it covers, with their shares of it.
function coverage(start, length, count, pixels) {
  const step = length / count;
  return Array.from({ length: count }, (_, part) => {
    const from = start + part * step;
    const to = Math.min(from + step, pixels);
    const shares = [];
    for (let pixel = Math.floor(from); pixel < to; pixel++) {
      const share = Math.min(pixel + 1, to) - Math.max(pixel, from);
      if (share > 0) shares.push([pixel, share / step]);
    }
    return shares;
  });
}

function pngOf({ values, width, height }) {
  const canvas = element("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  values.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  context.putImageData(image, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// ---- Picture files ----

function take(files) {
  const pictures = [...files].filter((file) => file.size > 0);
  if (!net || !pictures.length) return;
  if (pictures.length > 1) {
    const problem = `${pictures.length} pictures at once`;
    const fix = "drop one, or send several to POST /predict";
    show(new Refused(0, { problem, expected: "one picture", fix }));
    return;
  }
  if (net.channels === 1) clear();
  else forget();
  ask(async () => pictures[0]);
}

at("file").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", () => at("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  take(event.dataTransfer.files);
});

start();
