'use strict';
/*
 * picture.js - what test-picture.py looks at in a page, run inside it. `troubles` is what went wrong since it began to
 * load, `wanted` what this page has to show; each check returns an empty text or what is wrong.
 */
const all = selector => Array.from(document.querySelectorAll(selector));
const one = selector => document.querySelector(selector);
const shown = element => !element.hidden && element.getClientRects().length > 0;
const box = name => all('#flame .box').find(element => element.textContent === name);
const names = table => all(`${table} tbody tr`).map(row => row.cells[0].querySelector('b').textContent);
const words = JSON.stringify;
const same = (is, should) => words(is) === words(should) ? '' : `${words(is)}, not ${words(should)}`;
const first = texts => texts.find(text => text) || '';

function pointer(type, element, x, y) {
  element.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true, clientX: x, clientY: y, button: 0 }));
}

function press(element, key) {
  element.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, key }));
}

/* The middle of what is drawn for a call of that name in a lane. */
function placeOf(lane, name) {
  const label = Array.from(lane.querySelectorAll('.text')).find(element => element.textContent === name);
  const at = label.getBoundingClientRect();
  return [at.left + at.width / 2, at.top + at.height / 2];
}

const checks = {
  no_errors: () => troubles.join('; '),
  no_requests: () => performance.getEntriesByType('resource').map(entry => entry.name).join(', '),
  title: () => same(document.title, wanted.title),
  a_lane_for_each_worker: () => first([same(all('.lane[data-worker]').length, wanted.workers),
    same(all('.lane[data-worker]').filter(lane => lane.querySelector('svg path')).length, wanted.workers)]),
  worker_rows: () => same(all('#workers tbody tr').length, wanted.workers),
  ends_are_marked: () => same(all('.mark.end').filter(shown).length, wanted.ends),
  cut_calls_are_marked: () => same(all('path.cut').length > 0, wanted.ends > 0),
  charts: () => same(all('.chart path').length, wanted.charts),
  names: () => same(names('#regions').sort(), wanted.names.slice().sort()),
  absence: () => one('#timeline p').textContent.includes(wanted.absence) ? '' : one('#timeline p').textContent,

  nothing_sticks_out: () => {
    const page = document.documentElement;
    const inside = (part, whole) => part.left >= whole.left - 1 && part.right <= whole.right + 1 &&
      part.top >= whole.top - 1 && part.bottom <= whole.bottom + 1;
    const wide = page.scrollWidth > page.clientWidth ? [`the page is ${page.scrollWidth} wide`] : [];
    return wide.concat(all('.text, .box, .axis span').filter(shown).filter(element => {
      const style = getComputedStyle(element), parent = element.closest('.track, .graph').getBoundingClientRect();
      return !inside(element.getBoundingClientRect(), parent) ||
        (element.scrollWidth > element.clientWidth + 1 && style.overflowX !== 'hidden');
    }).map(element => element.textContent)).join(', ');
  },
  no_text_upon_another: () => all('.axis .track, .lane .track div').map(holder => {
    const places = Array.from(holder.children, child => child.getBoundingClientRect());
    return places.some((a, i) => places.slice(0, i).some(b => a.left < b.right - 1 && b.left < a.right - 1 &&
      a.top < b.bottom - 1 && b.top < a.bottom - 1)) ? holder.textContent : '';
  }).filter(text => text).join('; '),

  click_zooms_the_graph: () => {
    const graph = one('#flame').clientWidth, before = box('item').getBoundingClientRect().width;
    box('item').click();
    const wrong = first([same(Math.round(box('item').getBoundingClientRect().width), graph),
      same(shown(box('solve')), false), same(Math.round(box('pe.run').getBoundingClientRect().width), graph)]);
    one('#flame-all').click();
    return first([wrong, same(box('item').getBoundingClientRect().width, before), same(shown(box('solve')), true)]);
  },
  keys_walk_the_graph: () => {
    box('pe.run').focus();
    press(document.activeElement, 'ArrowDown');
    const below = document.activeElement.textContent;
    press(document.activeElement, 'Enter');
    const zoomed = !shown(box('solve'));
    press(document.activeElement, 'ArrowUp');
    const above = document.activeElement.textContent;
    press(document.activeElement, 'Escape');
    press(document.activeElement, 'ArrowLeft');
    return same([below, zoomed, above, document.activeElement.textContent, shown(box('solve'))],
      ['item', true, 'pe.run', 'solve', true]);
  },
  search_tells_the_share: () => {
    const field = one('#find'), type = text => {
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      return [one('#found').textContent, all('.box.hit').length];
    };
    return first([same(type('ITEM'), ['2 boxes, 25.0 % of the time', 2]),
      same(type('no such'), ['0 boxes, 0.0 % of the time', 0]), same(type(''), ['', 0])]);
  },
  tip_of_the_graph: () => {
    const at = box('item').getBoundingClientRect();
    pointer('pointermove', box('item'), at.left + 3, at.top + 3);
    const text = one('#tip').textContent;
    const parts = ['item', 'total 450 \u00b5s (25.0 %)', 'calls 3', 'p99', 'job.c:12'];
    return parts.filter(part => !text.includes(part)).join(', ');
  },
  headings_sort: () => {
    const heading = text => all('#regions th').find(element => element.textContent === text);
    heading('Calls').click();
    const downward = names('#regions')[0], said = heading('Calls').getAttribute('aria-sort');
    heading('Calls').click();
    const upward = names('#regions').pop();
    press(heading('Region'), 'Enter');
    const alphabetic = names('#regions');
    return first([same([downward, said, upward], ['item', 'descending', 'item']),
      same(alphabetic, alphabetic.slice().sort())]);
  },
  buttons_zoom_the_timeline: () => {
    const span = () => one('#span').textContent;
    const before = span(), found = [];
    for (const name of ['#zoom-in', '#zoom-in', '#move-left', '#zoom-out', '#zoom-all']) {
      one(name).click();
      found.push(span());
    }
    return same([before, ...found], ['1.00 ms', '500 \u00b5s from 250 \u00b5s', '250 \u00b5s from 375 \u00b5s',
      '250 \u00b5s from 275 \u00b5s', '500 \u00b5s from 150 \u00b5s', '1.00 ms']);
  },
  dragging_zooms_the_timeline: () => {
    const track = one('.lane[data-worker] .track'), at = track.getBoundingClientRect();
    pointer('pointerdown', track, at.left + at.width * 0.5, at.top + 3);
    pointer('pointermove', track, at.left + at.width * 0.3, at.top + 3);
    const picked = all('#pick').length;
    pointer('pointerup', track, at.left + at.width * 0.25, at.top + 3);
    const zoomed = one('#span').textContent;
    track.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
    return same([picked, zoomed, one('#span').textContent, all('#pick').length],
      [1, '250 \u00b5s from 250 \u00b5s', '1.00 ms', 0]);
  },
  keys_move_the_timeline: () => {
    for (const key of ['+', 'ArrowRight', '0'])
      press(one('#lanes'), key);
    press(one('#lanes'), '+');
    press(one('#lanes'), 'ArrowRight');
    const moved = one('#span').textContent;
    press(one('#lanes'), '0');
    return same([moved, one('#span').textContent], ['500 \u00b5s from 350 \u00b5s', '1.00 ms']);
  },
  tip_tells_the_wait_in_the_queue: () => {
    const lane = one('.lane[data-worker]'), [x, y] = placeOf(lane, 'pe.run');
    pointer('pointermove', lane.querySelector('.track'), x, y);
    const text = one('#tip').textContent;
    const lines = ['pe.run', '200 \u00b5s from 20.0 \u00b5s', 'waited 5.00 \u00b5s in the queue'];
    return first([same(text.split('\n'), lines), same(all('#flows .hovered path').length, 2)]);
  },
  arrows: () => {
    one('#arrows').click();
    const count = all('#flows .all path').length;
    one('#arrows').click();
    return same([count, all('#flows .all path').length], [wanted.flows, 0]);
  },
  too_many_arrows: () => {
    one('#arrows').click();
    const said = one('#arrows-note').textContent, count = all('#flows .all path').length;
    one('#arrows').click();
    return said.includes('zoom in') && count === 0 ? '' : said;
  },
  names_unfold_lanes: () => {
    const who = one('.lane[data-worker] .who'), track = one('.lane[data-worker] .track'), before = track.clientHeight;
    who.click();
    const after = track.clientHeight;
    who.click();
    return first([after > 2 * before ? '' : `${before} to ${after}`, same(track.clientHeight, before)]);
  },
  zooming_is_quick: () => {
    const begin = performance.now();
    for (let i = 0; i < 4; i++)
      one('#zoom-in').click();
    one('#zoom-all').click();
    const each = (performance.now() - begin) / 5;
    return each < 2000 ? '' : `${each} ms for each`;
  },
};
