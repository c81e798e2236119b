// Small line charts, one for each metric.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [250, 92];

export const short = (value) => (Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3)
  ? value.toExponential(1) : Number(value.toPrecision(3)).toString());

const element = (name, attributes, parent) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
};

export function chart(name, values) {
  const box = document.createElement("div");
  box.className = "curve";
  const title = document.createElement("div"), label = document.createElement("b"), output = document.createElement("output");
  label.textContent = label.title = name;
  title.append(label, output);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const [first, last] = [values[0][0], values.at(-1)[0]];
  const low = Math.min(...values.map((v) => v[1])), high = Math.max(...values.map((v) => v[1]));
  const x = (step) => (last > first ? (step - first) / (last - first) : 0.5) * WIDTH;
  const y = (value) => HEIGHT - 6 - (high > low ? (value - low) / (high - low) : 0.5) * (HEIGHT - 12);
  if (low < 0 && high > 0) element("line", { x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }, svg);
  const corners = values.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
  if (values.length === 1) corners.push("h0.1");
  element("path", { d: corners.join("") }, svg);
  const here = element("line", { class: "here", y1: 0, y2: HEIGHT, visibility: "hidden" }, svg);
  const foot = document.createElement("div"), left = document.createElement("span"), right = document.createElement("span");
  left.textContent = `${short(low)} to ${short(high)}`;
  right.textContent = `${first.toLocaleString("en")} – ${last.toLocaleString("en")}`;
  foot.append(left, right);
  box.append(title, svg, foot);

  const say = ([step, value]) => { output.textContent = `${short(value)} at ${step.toLocaleString("en")}`; };
  say(values.at(-1));
  svg.addEventListener("pointermove", (event) => {
    const wanted = first + (last - first) * event.offsetX / svg.clientWidth;
    const near = values.reduce((a, b) => (Math.abs(b[0] - wanted) < Math.abs(a[0] - wanted) ? b : a));
    for (const end of ["x1", "x2"]) here.setAttribute(end, x(near[0]));
    here.setAttribute("visibility", "visible");
    say(near);
  });
  svg.addEventListener("pointerleave", () => { here.setAttribute("visibility", "hidden"); say(values.at(-1)); });
  return box;
}
