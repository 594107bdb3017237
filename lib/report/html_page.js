'use strict';
(() => {
const all = (selector, from) => Array.from((from || document).querySelectorAll(selector));
const one = selector => document.querySelector(selector);
const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

/* ---- words ---- */

function time(ns) {
  if (ns === 0)
    return '0';
  const units = [[1e9, 's'], [1e6, 'ms'], [1e3, '\u00b5s'], [1, 'ns']];
  const [unit, name] = units.find(([each]) => Math.abs(ns) >= each * 0.9995) || units[3];
  const value = ns / unit;
  return value.toFixed(unit === 1 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2) + ' ' + name;
}

/* Times on an axis: as many digits as tell two steps apart. */
function moment(ns, step) {
  const units = [[1e9, 's'], [1e6, 'ms'], [1e3, '\u00b5s'], [1, 'ns']];
  const [unit, name] = units.find(([each]) => Math.abs(ns) >= each) || units[3];
  return ns === 0 ? '0' : (ns / unit).toFixed(clamp(Math.ceil(Math.log10(unit / step) - 1e-9), 0, 9)) + ' ' + name;
}

/* ---- the box beside the pointer ---- */

const tip = document.createElement('div');
tip.id = 'tip';
tip.hidden = true;
document.body.append(tip);

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = clamp(x + 14, 4, Math.max(4, innerWidth - box.width - 4)) + 'px';
  tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + 'px';
}

for (const element of all('.box, .mark')) {
  element.dataset.tip = element.title;
  element.removeAttribute('title');
}
document.addEventListener('pointermove', event => {
  const element = event.target.closest ? event.target.closest('[data-tip]') : null;
  const text = element ? element.dataset.tip : tipOfLane(event);
  if (text)
    showTip(text, event.clientX, event.clientY);
  else
    tip.hidden = true;
});
document.documentElement.addEventListener('pointerleave', () => { tip.hidden = true; });

/* ---- the flame graph ---- */

const graph = one('#flame');
const boxes = all('#flame .box').map(element => ({
  element, left: parseFloat(element.style.left), width: parseFloat(element.style.width),
  depth: +element.dataset.depth, parent: null, children: [], name: element.textContent.toLowerCase(),
}));
const path = [];
for (const box of boxes) {
  path.length = box.depth;
  box.parent = path[box.depth - 1] || null;
  if (box.parent)
    box.parent.children.push(box);
  path[box.depth] = box;
}
const roots = boxes.filter(box => !box.parent);
const whole = { left: 0, width: 100, depth: -1 };
let zoomed = whole;

function drawFlame() {
  const pixels = graph.clientWidth / 100, above = new Set();
  for (let box = zoomed.parent; box; box = box.parent)
    above.add(box);
  for (const box of boxes) {
    const up = above.has(box);
    const left = up ? 0 : (box.left - zoomed.left) * 100 / zoomed.width;
    const width = up ? 100 : box.width * 100 / zoomed.width;
    const seen = up || (left > -0.001 && left + width < 100.001 && box.depth >= zoomed.depth && width * pixels > 0.2);
    box.element.hidden = !seen;
    if (!seen)
      continue;
    box.element.style.left = left + '%';
    box.element.style.width = width + '%';
    box.element.classList.toggle('up', up);
    box.element.classList.toggle('thin', width * pixels < 24);
  }
}

function zoomTo(box) {
  zoomed = box;
  drawFlame();
}

function focusOn(box) {
  if (!box)
    return;
  if (box.element.hidden)
    zoomTo(box.parent || whole);
  for (const other of boxes)
    other.element.tabIndex = -1;
  box.element.tabIndex = 0;
  box.element.focus();
}

function walk(box, key) {
  const sisters = box.parent ? box.parent.children : roots, at = sisters.indexOf(box);
  if (key === 'ArrowDown')
    focusOn(box.children[0]);
  else if (key === 'ArrowUp')
    focusOn(box.parent);
  else if (key === 'ArrowRight')
    focusOn(sisters[at + 1]);
  else if (key === 'ArrowLeft')
    focusOn(sisters[at - 1]);
  else if (key === 'Enter' || key === ' ')
    zoomTo(zoomed === box ? whole : box);
  else if (key === 'Escape')
    zoomTo(whole);
  else
    return false;
  return true;
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  let share = 0, count = 0;
  graph.classList.toggle('finding', wanted !== '');
  const within = new Set();
  for (const box of boxes) {
    const hit = wanted !== '' && box.name.includes(wanted);
    box.element.classList.toggle('hit', hit);
    count += hit;
    if (hit && !within.has(box.parent))
      share += box.width;
    if (hit || within.has(box.parent))
      within.add(box);
  }
  const found = count + (count === 1 ? ' box, ' : ' boxes, ') + share.toFixed(1) + ' % of the time';
  one('#found').textContent = wanted === '' ? '' : found;
}

if (graph) {
  for (const box of boxes) {
    box.element.tabIndex = box === boxes[0] ? 0 : -1;
    box.element.setAttribute('role', 'button');
    box.element.addEventListener('click', () => zoomTo(box));
    box.element.addEventListener('keydown', event => {
      if (walk(box, event.key))
        event.preventDefault();
    });
    box.element.addEventListener('focus', () => {
      const at = box.element.getBoundingClientRect();
      if (box.element.matches(':focus-visible'))
        showTip(box.element.dataset.tip, at.left, at.bottom - 12);
    });
    box.element.addEventListener('blur', () => { tip.hidden = true; });
  }
  one('#flame-all').addEventListener('click', () => zoomTo(whole));
  one('#find').addEventListener('input', event => find(event.target.value));
  drawFlame();
}

/* ---- tables ---- */

const valueOf = cell => cell.dataset.v !== undefined ? +cell.dataset.v :
  cell.classList.contains('n') ? +cell.textContent.replace(/[^0-9.-]/g, '') : cell.textContent;

function sortBy(table, heading) {
  const column = heading.cellIndex, body = table.tBodies[0];
  const now = heading.getAttribute('aria-sort');
  const numbers = heading.classList.contains('n') || heading.classList.contains('bar');
  const upward = now ? now === 'descending' : !numbers;
  for (const other of table.tHead.rows[0].cells)
    other.removeAttribute('aria-sort');
  heading.setAttribute('aria-sort', upward ? 'ascending' : 'descending');
  const rows = Array.from(body.rows, row => [valueOf(row.cells[column]), row]);
  rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (upward ? 1 : -1));
  body.append(...rows.map(([, row]) => row));
}

for (const table of all('table.sortable'))
  for (const heading of table.tHead.rows[0].cells) {
    heading.tabIndex = 0;
    heading.addEventListener('click', () => sortBy(table, heading));
    heading.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        sortBy(table, heading);
      }
    });
  }

/* ---- the timeline ---- */

const numbers = one('#numbers') ? JSON.parse(one('#numbers').textContent) : null;
const names = all('#names li').map(item => ({ text: item.textContent, colour: item.className }));
const holder = one('#lanes');
const SVG = 'http://www.w3.org/2000/svg';
const ROW = 17;
const LEFT = 0, CUT = 1, OPEN = 2;
let lanes = [], flows = [], view = null, end = 0;

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes)
    element.setAttribute(key, attributes[key]);
  return element;
}

/* See write_box() in html_timeline.c. */
function readRow(flat) {
  const row = [];
  let start = 0;
  for (let i = 0; i < flat.length; i += 3) {
    start += flat[i];
    const box = { start, end: start + flat[i + 1], name: flat[i + 2], calls: 1, busy: 1, ending: LEFT };
    if (box.name < 0) {
      box.name = -1 - box.name;
      box.calls = flat[i + 3];
      box.busy = box.calls ? flat[i + 4] / 100 : 1;
      box.ending = box.calls ? LEFT : flat[i + 4];
      i += 2;
    }
    row.push(box);
  }
  return row;
}

/* The first box that ends after a moment. */
function firstAfter(row, moment) {
  let low = 0, high = row.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (row[middle].end <= moment)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/*
 * Where the visible rows of a lane lie: [row, top, height]. A folded lane of many is a thin strip for the outermost
 * calls above one for all others, the inner ones painted over the outer ones.
 */
function layout(lane) {
  const most = lane.unfolded || holder.classList.contains('few') ? 8 : 3;
  const rows = Math.max(1, Math.min(most, lane.rows.length));
  if (holder.classList.contains('many') && !lane.unfolded && lane.rows.length > 0)
    return lane.rows.map((_, i) => i === 0 ? [0, 0, lane.rows.length > 1 ? 4 : 14] : [i, 4, 10]);
  return Array.from({ length: rows }, (_, i) => [i, i * ROW, ROW]);
}

/* One path for each colour: thousands of boxes are drawn as fast as one. */
class Brush {
  constructor() {
    this.paths = new Map();
  }
  box(colour, x, y, width, height) {
    const path = `M${x.toFixed(2)} ${y.toFixed(2)}h${width.toFixed(2)}v${height.toFixed(2)}h-${width.toFixed(2)}z`;
    if (this.paths.has(colour))
      this.paths.get(colour).push(path);
    else
      this.paths.set(colour, [path]);
  }
  elements() {
    const cut = this.paths.get('cut');
    this.paths.delete('cut');
    if (cut)
      this.paths.set('cut', cut);
    return Array.from(this.paths, ([colour, paths]) => svg('path', { class: colour, d: paths.join('') }));
  }
}

/* In percent: on paper lanes have another width. */
function label(text, left, width, top, height) {
  const span = document.createElement('span');
  span.className = 'text';
  span.style.cssText = `left:${left}%;width:${width}%;top:${top}px;height:${height}px;line-height:${height}px`;
  span.textContent = text;
  return span;
}

/* Boxes narrower than a pixel make a column as high as they cover it. */
function drawRow(lane, [number, top, height], texts) {
  const row = lane.rows[number] || [], scale = lane.width / (view.end - view.start), brush = new Brush();
  let column = -1, cover = 0, most = 0, name = 0;
  const flush = () => {
    if (column >= 0) {
      const high = Math.max(1, height * Math.min(1, cover));
      brush.box(names[name].colour, column, top + height - high, 1, high);
    }
    column = -1;
    cover = most = 0;
  };
  for (let i = firstAfter(row, view.start); i < row.length && row[i].start < view.end; i++) {
    const box = row[i];
    const left = Math.max(-2, (box.start - view.start) * scale);
    const right = Math.min(lane.width + 2, (box.end - view.start) * scale);
    if (right - left < 1 && box.ending === LEFT) {
      const part = (right - left) * box.busy;
      if (Math.floor(left) !== column) {
        flush();
        column = Math.floor(left);
      }
      cover += part;
      if (part >= most) {
        most = part;
        name = box.name;
      }
      continue;
    }
    flush();
    const width = Math.max(box.ending === LEFT ? 0.5 : 2, right - left - (right - left > 3 ? 1 : 0));
    const high = Math.max(1, (height - (height > 8 ? 1 : 0)) * Math.min(1, box.busy));
    brush.box(names[box.name].colour, left, top + height - high, width, high);
    if (box.ending === CUT)
      brush.box('cut', left, top + height - high, width, high);
    if (height >= ROW && box.calls <= 1 && right - left > 30) {
      const from = Math.max(0, left), room = Math.min(lane.width, right) - from - 1, percent = 100 / lane.width;
      texts.append(label(names[box.name].text, from * percent, room * percent, top, height));
    }
  }
  flush();
  return brush.elements();
}

function drawLane(lane) {
  const rows = layout(lane), high = Math.max(14, rows[rows.length - 1][1] + rows[rows.length - 1][2]);
  const paths = [], texts = document.createDocumentFragment();
  lane.track.style.height = high + 'px';
  lane.width = lane.track.clientWidth;
  for (const row of rows)
    paths.push(...drawRow(lane, row, texts));
  lane.svg.setAttribute('viewBox', `0 0 ${lane.width} ${high}`);
  lane.svg.replaceChildren(...paths);
  lane.texts.replaceChildren(texts);
  for (const mark of lane.marks) {
    const at = (mark.at - view.start) / (view.end - view.start);
    mark.element.hidden = at < 0 || at > 1;
    mark.element.style.left = at * 100 + '%';
  }
}

function drawAxis() {
  const track = one('.axis .track'), length = view.end - view.start, ns = numbers.unit;
  const least = Math.max(1, length * ns * 96 / track.clientWidth), power = Math.pow(10, Math.floor(Math.log10(least)));
  const step = power * [1, 2, 5, 10].find(factor => power * factor >= least);
  const ticks = [];
  const last = view.end * ns - 60 * length * ns / track.clientWidth;
  for (let at = Math.ceil(view.start * ns / step); at * step <= last; at++) {
    const span = document.createElement('span');
    span.textContent = moment(at * step, step);
    span.style.left = (at * step / ns - view.start) * 100 / length + '%';
    ticks.push(span);
  }
  track.replaceChildren(...ticks);
}

function drawTimeline() {
  for (const lane of lanes)
    drawLane(lane);
  for (const chart of all('.chart svg'))
    chart.setAttribute('viewBox', `${view.start / end * 1e6} -40 ${(view.end - view.start) / end * 1e6} 1080`);
  drawAxis();
  drawArrows();
  one('#span').textContent = time((view.end - view.start) * numbers.unit) +
    (view.end - view.start < end ? ' from ' + time(view.start * numbers.unit) : '');
}

function setView(start, stop) {
  const length = clamp(stop - start, Math.min(end, 50), end);
  const from = clamp((start + stop) / 2 - length / 2, 0, end - length);
  view = { start: from, end: from + length };
  drawTimeline();
}

function zoomBy(factor, at) {
  const around = at === undefined ? (view.start + view.end) / 2 : at;
  setView(around - (around - view.start) * factor, around + (view.end - around) * factor);
}

function moveBy(part) {
  const step = (view.end - view.start) * part;
  setView(view.start + step, view.end + step);
}

/* ---- what is below the pointer ---- */

const momentAt = (lane, x) =>
  view.start + (x - lane.track.getBoundingClientRect().left) / lane.width * (view.end - view.start);
const laneOf = event => {
  const track = event.target.closest ? event.target.closest('.lane[data-lane] .track') : null;
  return track ? lanes.find(lane => lane.track === track) : null;
};

function boxAt(lane, event) {
  const y = event.clientY - lane.track.getBoundingClientRect().top;
  const at = momentAt(lane, event.clientX), near = 2 * (view.end - view.start) / lane.width;
  const far = box => Math.max(0, box.start - at, at - box.end);
  let best = null;
  for (const [number, top, height] of layout(lane)) {
    const row = y >= top && y < top + height ? lane.rows[number] || [] : [];
    for (let i = firstAfter(row, at - near); i < row.length && row[i].start <= at + near; i++)
      if (!best || far(row[i]) <= far(best))
        best = row[i];
  }
  return best;
}

const flowInto = (lane, box) =>
  flows.find(flow => flow.to === lane.number && flow.begin >= box.start - 2 && flow.begin <= box.end);

function tipOfLane(event) {
  const lane = numbers && view ? laneOf(event) : null, box = lane ? boxAt(lane, event) : null;
  drawHovered(null);
  if (!box)
    return null;
  const ns = numbers.unit, flow = lane.rows[0].includes(box) ? flowInto(lane, box) : null;
  const lines = [names[box.name].text];
  if (box.calls > 1)
    lines[0] = box.calls + ' calls, most of them ' + lines[0];
  lines.push(time((box.end - box.start) * ns) + ' from ' + time(box.start * ns));
  if (box.calls > 1)
    lines.push('busy ' + Math.round(100 * box.busy) + ' % of it');
  if (box.ending === CUT)
    lines.push('cut short: its thread or process ended');
  if (box.ending === OPEN)
    lines.push('still open');
  if (flow) {
    lines.push('waited ' + time((flow.begin - flow.submit) * ns) + ' in the queue');
    drawHovered(flow);
  }
  return lines.join('\n');
}

/* ---- arrows ---- */

const ARROWS_MOST = 400;

function arrow(flow, hovered) {
  const area = holder.getBoundingClientRect(), from = lanes[flow.from], to = lanes[flow.to];
  if (!from || !to)
    return [];
  const x = at => (at - view.start) / (view.end - view.start) * to.width;
  const y = lane => lane.track.getBoundingClientRect().top - area.top + lane.track.clientHeight / 2;
  const [x0, x1, y0, y1] = [x(flow.submit), x(flow.begin), y(from), y(to)], middle = (y0 + y1) / 2;
  const paths = [svg('path', { d: `M${x0} ${y0}C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}m-3 -6l3 6l3 -6` })];
  if (hovered)
    paths.push(svg('path', { class: 'wait', d: `M${x0} ${y1}H${x1}` }));
  return paths;
}

function drawArrows() {
  const seen = one('#arrows').checked ? flows.filter(flow => flow.begin >= view.start && flow.begin <= view.end) : [];
  const paths = seen.length > ARROWS_MOST ? [] : seen.flatMap(flow => arrow(flow, false));
  one('#flows .all').replaceChildren(...paths);
  one('#arrows').title = seen.length > ARROWS_MOST ? 'too many here: zoom in' : '';
  one('#arrows-note').textContent = seen.length > ARROWS_MOST ? ' (zoom in: ' + seen.length + ')' : '';
}

function drawHovered(flow) {
  one('#flows .hovered').replaceChildren(...(flow ? arrow(flow, true) : []));
}

/* ---- hands ---- */

function listen() {
  let from = null, pick = null;
  const stop = () => {
    if (pick)
      pick.remove();
    from = pick = null;
  };
  holder.addEventListener('pointerdown', event => {
    const lane = laneOf(event);
    if (lane && event.button === 0)
      from = { lane, x: event.clientX };
  });
  addEventListener('pointermove', event => {
    if (!from || Math.abs(event.clientX - from.x) < 4)
      return;
    const track = from.lane.track.getBoundingClientRect(), left = track.left - holder.getBoundingClientRect().left;
    const [a, b] = [from.x, event.clientX].map(x => clamp(x - track.left, 0, track.width)).sort((x, y) => x - y);
    if (!pick) {
      pick = document.createElement('div');
      pick.id = 'pick';
      holder.append(pick);
    }
    pick.style.left = left + a + 'px';
    pick.style.width = b - a + 'px';
    event.preventDefault();
  });
  addEventListener('pointerup', event => {
    const [lane, dragged] = [from && from.lane, pick];
    const range = dragged ? [from.x, event.clientX].map(x => momentAt(lane, x)).sort((x, y) => x - y) : null;
    stop();
    if (range)
      setView(clamp(range[0], view.start, view.end), clamp(range[1], view.start, view.end));
  });
  addEventListener('pointercancel', stop);
  holder.addEventListener('dragstart', event => event.preventDefault());
  holder.addEventListener('dblclick', event => {
    if (laneOf(event))
      setView(0, end);
  });
  holder.addEventListener('wheel', event => {
    const lane = laneOf(event) || lanes[0];
    if (event.ctrlKey || event.metaKey)
      zoomBy(Math.exp(event.deltaY / 300), momentAt(lane, event.clientX));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      moveBy((event.deltaX || event.deltaY) / lane.width);
    else
      return;
    event.preventDefault();
  }, { passive: false });
  const keys = {
    '+': () => zoomBy(0.5), '=': () => zoomBy(0.5), '-': () => zoomBy(2), '0': () => setView(0, end),
    Escape: () => setView(0, end), ArrowLeft: () => moveBy(-0.2), ArrowRight: () => moveBy(0.2),
  };
  holder.addEventListener('keydown', event => {
    if (event.target === holder && keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      keys[event.key]();
      event.preventDefault();
    }
  });
  one('#zoom-in').addEventListener('click', () => zoomBy(0.5));
  one('#zoom-out').addEventListener('click', () => zoomBy(2));
  one('#move-left').addEventListener('click', () => moveBy(-0.4));
  one('#move-right').addEventListener('click', () => moveBy(0.4));
  one('#zoom-all').addEventListener('click', () => setView(0, end));
  one('#arrows').addEventListener('change', drawArrows);
}

function unfoldOnClick(lane) {
  const who = lane.element.querySelector('.who');
  const turn = () => {
    lane.unfolded = !lane.unfolded;
    who.setAttribute('aria-expanded', lane.unfolded);
    drawLane(lane);
    drawArrows();
  };
  if (lane.rows.length <= layout(lane).length && !holder.classList.contains('many'))
    return;
  who.tabIndex = 0;
  who.setAttribute('role', 'button');
  who.setAttribute('aria-expanded', false);
  who.addEventListener('click', turn);
  who.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      turn();
    }
  });
}

function startTimeline() {
  end = numbers.wall / numbers.unit;
  lanes = all('.lane[data-lane]').map((element, i) => ({
    element, number: i, rows: numbers.lanes[i].map(readRow), unfolded: false, width: 0,
    track: element.querySelector('.track'), svg: element.querySelector('svg'), texts: document.createElement('div'),
    marks: all('.mark', element).map(mark => ({ element: mark, at: +mark.dataset.at / numbers.unit })),
  }));
  for (let i = 0; i < numbers.flows.length; i += 4) {
    const [from, submit, to, begin] = numbers.flows.slice(i, i + 4);
    flows.push({ from, submit, to, begin });
  }
  const defs = svg('svg', { width: 0, height: 0, style: 'position:absolute' });
  const hatch = svg('pattern', { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse',
    patternTransform: 'rotate(45)' });
  hatch.append(svg('rect', { width: 2, height: 6, style: 'fill:var(--warn);opacity:.55' }));
  defs.append(hatch);
  const over = svg('svg', { id: 'flows' });
  over.append(svg('g', { class: 'all' }), svg('g', { class: 'hovered' }));
  holder.append(over);
  holder.before(defs);
  for (const lane of lanes) {
    lane.svg.after(lane.texts);
    unfoldOnClick(lane);
  }
  listen();
  setView(0, end);
}

if (numbers)
  startTimeline();

let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width)
    return;
  width = innerWidth;
  if (numbers)
    drawTimeline();
  if (graph)
    drawFlame();
});
})();
