// The map: points of the plane, to be clicked, and dragged from one to another.

const COLOURS = ["#4063d8", "#e4632b", "#2c9f5b", "#c9368f", "#8457c9", "#d39b0d", "#1aa0b8", "#d6404e", "#7a8b2b", "#8a6a52"];
const NEAR = 18;  // pixels within which a point is meant

export const colour = (label) => (label < 0 ? COLOURS[0] : COLOURS[label % COLOURS.length]);

// A dark line with a white edge, to be seen on anything.
function outline(pen, trace) {
  for (const [ink, width] of [["#fff", 5], ["#1c2430", 2.2]]) {
    [pen.strokeStyle, pen.lineWidth] = [ink, width];
    pen.beginPath();
    trace();
    pen.stroke();
  }
}

export class LatentMap {
  // onPoint(i): a click; onPath(i, j): a drag from i to j
  constructor(canvas, places, labels, names, onPoint, onPath) {
    Object.assign(this, { canvas, places, labels, names, onPoint, onPath });
    this.chosen = 0;
    this.path = null;  // [start, end], end null while it is dragged over nothing
    this.hovered = null;
    this.atlas = null;
    this.thumbnails = false;
    const extent = (axis) => [Math.min(...places.map((p) => p[axis])), Math.max(...places.map((p) => p[axis]))];
    const [[left, right], [low, high]] = [extent(0), extent(1)];
    this.centre = [(left + right) / 2, (low + high) / 2];
    this.reach = 0.54 * Math.max(right - left, high - low) || 1;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => { this.hovered = null; this.draw(); });
  }

  at(i) {
    const side = this.canvas.clientWidth, [x, y] = this.places[i];
    return [side / 2 * (1 + (x - this.centre[0]) / this.reach), side / 2 * (1 - (y - this.centre[1]) / this.reach)];
  }

  nearest(event, limit = Infinity) {
    let best = null;
    this.places.forEach((_, i) => {
      const [x, y] = this.at(i), distance = Math.hypot(x - event.offsetX, y - event.offsetY);
      if (distance < limit) [best, limit] = [i, distance];
    });
    return best;
  }

  farthest(i) {
    const distances = this.places.map(([x, y]) => Math.hypot(x - this.places[i][0], y - this.places[i][1]));
    return distances.indexOf(Math.max(...distances));
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = this.nearest(event);
    this.from = [event.offsetX, event.offsetY];
  }

  move(event) {
    this.hovered = this.nearest(event, NEAR);
    if (this.pressed !== undefined && Math.hypot(event.offsetX - this.from[0], event.offsetY - this.from[1]) > 6) {
      this.path = [this.pressed, this.hovered, [event.offsetX, event.offsetY]];
    }
    this.draw();
  }

  release(event) {
    const start = this.pressed, end = this.nearest(event);
    const far = Math.hypot(event.offsetX - this.from[0], event.offsetY - this.from[1]) > 6;
    this.pressed = undefined;
    if (far && end !== start) this.onPath(start, end);
    else this.onPoint(end);
  }

  show(chosen, path) {
    [this.chosen, this.path] = [chosen, path];
    this.draw();
  }

  draw() {
    const { canvas } = this, side = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(side * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.imageSmoothingEnabled = false;
    this.places.forEach((_, i) => this.dot(pen, i));
    if (this.thumbnails && this.atlas) this.apart(26).forEach((i) => this.thumbnail(pen, i, 26));
    if (this.path) this.line(pen);
    this.ring(pen, this.chosen);
    if (this.hovered !== null) this.hint(pen, this.hovered);
  }

  // Points whose pictures of such a size do not cover each other; the others stay dots.
  apart(size) {
    const kept = [];
    this.places.forEach((_, i) => {
      const [x, y] = this.at(i);
      if (kept.every(([, u, v]) => Math.max(Math.abs(x - u), Math.abs(y - v)) > size + 1)) kept.push([i, x, y]);
    });
    return kept.map(([i]) => i);
  }

  dot(pen, i) {
    const [x, y] = this.at(i);
    pen.globalAlpha = 0.85;
    pen.fillStyle = colour(this.labels[i]);
    pen.beginPath();
    pen.arc(x, y, this.places.length > 400 ? 4 : 5.5, 0, 7);
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = "#fff";
    pen.lineWidth = 1;
    pen.stroke();
  }

  thumbnail(pen, i, size, [x, y] = this.at(i)) {
    const columns = Math.ceil(Math.sqrt(this.places.length));
    const [wide, high] = [this.atlas.naturalWidth / columns, this.atlas.naturalHeight / columns];
    pen.drawImage(this.atlas, wide * (i % columns), high * Math.floor(i / columns), wide, high,
      x - size / 2, y - size / 2, size, size);
    pen.strokeStyle = colour(this.labels[i]);
    pen.lineWidth = 1.5;
    pen.strokeRect(x - size / 2, y - size / 2, size, size);
  }

  line(pen) {
    const [start, end, pointer] = this.path;
    const [[x, y], [toX, toY]] = [this.at(start), end === null ? pointer : this.at(end)];
    outline(pen, () => { pen.moveTo(x, y); pen.lineTo(toX, toY); });
    for (const i of [start, end]) if (i !== null) this.ring(pen, i, 6);
  }

  ring(pen, i, radius = 10) {
    const [x, y] = this.at(i);
    outline(pen, () => pen.arc(x, y, radius, 0, 7));
  }

  hint(pen, i) {
    const side = this.canvas.clientWidth, [x, y] = this.at(i), size = 64;
    const middle = [x < side / 2 ? x + 50 : x - 50, Math.min(Math.max(y, size / 2 + 2), side - size / 2 - 22)];
    if (this.atlas) this.thumbnail(pen, i, size, middle);
    const name = this.labels[i] < 0 ? `${i}` : this.names[this.labels[i]];
    pen.font = "600 13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 4;
    pen.strokeStyle = "#fff";
    const below = this.atlas ? middle[1] + size / 2 + 14 : middle[1] + 4;
    pen.strokeText(name, middle[0], below);
    pen.fillStyle = "#1c2430";
    pen.fillText(name, middle[0], below);
  }
}
