// Charts: bars of HTML and a line of SVG, each with its numbers in a table behind it.
import { h, svg } from './dom.js';
import { table } from './table.js';

/// A figure with a caption, the drawing and the numbers.
function figure(title, drawing, columns, rows, hint) {
  return h(
    'figure',
    { class: 'chart' },
    h('figcaption', {}, title),
    hint ? h('p', { class: 'hint' }, hint) : null,
    drawing,
    h(
      'details',
      {},
      h('summary', {}, 'Numbers as a table'),
      table({ caption: title, columns, rows, cards: false }).node,
    ),
  );
}

/// Horizontal bars, longest as wide as there is room. rows: {label (node or text), value, text}.
export function bars(title, rows, { columns, hint, data }) {
  const max = Math.max(1, ...rows.map((row) => row.value));
  const drawing = h(
    'div',
    { class: 'bars', 'aria-hidden': 'true' },
    rows.map((row) => {
      const fill = h('div', { class: 'bars-fill' });
      fill.style.width = `${row.value <= 0 ? 0 : Math.max(0.6, (row.value / max) * 100)}%`;
      return h(
        'div',
        { class: 'bars-row' },
        h('div', { class: 'bars-label' }, row.label),
        h('div', { class: 'bars-track' }, fill),
        h('div', { class: 'bars-value' }, row.text),
      );
    }),
  );
  return figure(title, drawing, columns, data ?? rows, hint);
}

/// Upright bars for a histogram.
export function histogram(title, rows, { columns, hint }) {
  const max = Math.max(1, ...rows.map((row) => row.value));
  const drawing = h(
    'div',
    { class: 'histogram', 'aria-hidden': 'true' },
    rows.map((row) => {
      const fill = h('div', { class: 'histogram-fill' });
      fill.style.height = `${row.value <= 0 ? 0 : Math.max(1, (row.value / max) * 100)}%`;
      return h(
        'div',
        { class: 'histogram-column' },
        h('div', { class: 'histogram-value' }, row.text),
        h('div', { class: 'histogram-track' }, fill),
        h('div', { class: 'histogram-label' }, row.label),
      );
    }),
  );
  return figure(title, drawing, columns, rows, hint);
}

const width = 720;
const height = 200;
const pad = { left: 8, right: 8, top: 14, bottom: 22 };

function axis(points, top, text) {
  const plot = height - pad.top - pad.bottom;
  return [0, 0.5, 1].map((part) => {
    const y = pad.top + plot * (1 - part);
    return [
      svg('line', { x1: pad.left, x2: width - pad.right, y1: y, y2: y, class: 'grid' }),
      svg('text', { x: pad.left, y: y - 3, class: 'tick' }, text(top * part)),
    ];
  });
}

/// Values over time. series: {name, css, value(row)}; rows in the order of time, at(row) in ms.
export function lines(title, rows, { series, at, text, timeText, columns, hint }) {
  const first = at(rows[0]);
  const span = Math.max(1, at(rows[rows.length - 1]) - first);
  const top = Math.max(1, ...rows.flatMap((row) => series.map((one) => one.value(row))));
  const x = (row) => pad.left + ((at(row) - first) / span) * (width - pad.left - pad.right);
  const y = (value) => pad.top + (height - pad.top - pad.bottom) * (1 - value / top);
  const path = (one) =>
    rows
      .map((row, i) => `${i === 0 ? 'M' : 'L'}${x(row).toFixed(1)} ${y(one.value(row)).toFixed(1)}`)
      .join('');
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, class: 'lines', 'aria-hidden': 'true' },
    axis(rows, top, text).flat(),
    series.map((one) => svg('path', { d: path(one), class: `line ${one.css}` })),
    series
      .map((one) =>
        rows.length > 60
          ? []
          : rows.map((row) =>
              svg('circle', { cx: x(row), cy: y(one.value(row)), r: 2.5, class: `dot ${one.css}` }),
            ),
      )
      .flat(),
    svg('text', { x: pad.left, y: height - 6, class: 'tick' }, timeText(rows[0])),
    svg(
      'text',
      { x: width - pad.right, y: height - 6, class: 'tick', 'text-anchor': 'end' },
      timeText(rows[rows.length - 1]),
    ),
  );
  const legend = h(
    'ul',
    { class: 'legend', 'aria-hidden': 'true' },
    series.map((one) => h('li', {}, h('span', { class: `swatch ${one.css}` }), one.name)),
  );
  return figure(title, h('div', {}, legend, drawing), columns, [...rows].reverse(), hint);
}
